#pragma once

#include "daemon/monitor/client.hpp"
#include "daemon/monitor/loop.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace lodge::monitor {

/// The console: it always reads the PTY's master, so that the container never waits for a reader.
/// It keeps the last bytes in memory and shows them to up to kMostClients clients. It drops a
/// client that does not keep up. A container that writes faster than a few megabytes a second
/// waits, because the monitor's time is not charged to it.
class Console final : public Watcher {
  public:
    static constexpr std::size_t kMostClients = 8;
    /// The error for a client beyond kMostClients.
    [[nodiscard]] static std::unexpected<Error> full();

    Console(Loop& loop, UniqueFd master, std::size_t log_size);
    ~Console() override;
    /// Starts reading.
    [[nodiscard]] Status open();
    /// Adds a client, which gets the log and then all new output.
    [[nodiscard]] Status attach(UniqueFd connection);
    [[nodiscard]] std::string log() const;
    [[nodiscard]] std::size_t clients() const { return clients_.size(); }
    /// The container has ended: reads the rest, and sends clients `exited` with this code.
    void finish(std::int32_t code);

    void ready(std::uint32_t events) override;

  private:
    struct Viewer;
    int drain(int most_reads);
    void pause();
    void resume();
    void record(std::string_view bytes);
    void show(std::string_view bytes);
    void input(Viewer& viewer);
    void drop(const Viewer& viewer);

    Loop& loop_;
    UniqueFd master_;
    std::unique_ptr<char[]> log_; ///< a ring; its pages cost nothing until they are written
    std::size_t log_size_;
    std::size_t written_ = 0;    ///< bytes ever recorded
    std::int32_t exit_code_ = 0; ///< of init, once finished
    std::vector<std::unique_ptr<Viewer>> clients_;
    Alarm window_;
    int reads_ = 0; ///< since it was set
    bool paused_ = false;
};

} // namespace lodge::monitor
