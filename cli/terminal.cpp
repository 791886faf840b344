#include "cli/terminal.hpp"

#include <sys/ioctl.h>

namespace lodge::cli {

WindowSize window_size(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) {
        return {};
    }
    return {.rows = size.ws_row, .columns = size.ws_col};
}

void copy_window_size(int from, int to) {
    winsize size{};
    if (::ioctl(from, TIOCGWINSZ, &size) == 0) {
        (void)::ioctl(to, TIOCSWINSZ, &size); // a session that just ended needs no size
    }
}

RawTerminal::RawTerminal(int fd) : fd_(fd) {
    termios now{};
    if (::tcgetattr(fd, &now) != 0) {
        return;
    }
    before_ = now;
    ::cfmakeraw(&now);
    (void)::tcsetattr(fd, TCSADRAIN, &now); // a terminal that refuses stays as it is
}

RawTerminal::~RawTerminal() {
    if (before_) {
        (void)::tcsetattr(fd_, TCSADRAIN, &*before_); // best effort on the way out
    }
}

} // namespace lodge::cli
