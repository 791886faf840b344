#pragma once

#include <cstdint>
#include <optional>

#include <termios.h>

namespace lodge::cli {

struct WindowSize {
    std::uint16_t rows = 24;
    std::uint16_t columns = 80;
};
/// The size of the terminal `fd`; 24 x 80 when it is no terminal.
[[nodiscard]] WindowSize window_size(int fd);
void copy_window_size(int from, int to);

/// Sets a terminal to raw mode; the destructor restores it. Does nothing when `fd` is no terminal.
class RawTerminal {
  public:
    explicit RawTerminal(int fd);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
    int fd_;
    std::optional<termios> before_;
};

} // namespace lodge::cli
