#include "cli/flow.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

bool try_again(int error_number) {
    return error_number == EINTR || error_number == EAGAIN;
}

ssize_t write_some(int fd, const char* bytes, std::size_t size) {
    // The process that gave us a socket shares its file description, so we must not set O_NONBLOCK
    // on it.
    const ssize_t sent = ::send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK) {
        return sent;
    }
    // The same holds for a pipe. A pipe that poll(2) reports as writable takes PIPE_BUF bytes
    // without blocking (pipe(7)). This polls it again, because another flow of ours may have filled
    // it meanwhile.
    struct stat info{};
    if (::fstat(fd, &info) != 0 || !S_ISFIFO(info.st_mode)) {
        return ::write(fd, bytes, size);
    }
    pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return ::write(fd, bytes, std::min<std::size_t>(size, PIPE_BUF));
}

} // namespace

void Flow::last_call() {
    int ready = 0;
    if (open()) {
        left_ = ::ioctl(source_, FIONREAD, &ready) == 0 ? static_cast<std::size_t>(ready) : 0;
    }
}

pollfd Flow::wait() const {
    return pending() && open() ? pollfd{.fd = sink_, .events = POLLOUT, .revents = 0}
                               : pollfd{.fd = source_, .events = POLLIN, .revents = 0};
}

Flow::State Flow::move() {
    if (pending()) {
        const ssize_t written = write_some(sink_, &buffer_.at(begin_), end_ - begin_);
        if (written < 0 && try_again(errno)) {
            return State::flowing;
        }
        if (written < 0) {
            sink_error_ = errno;
            return State::sink_ended;
        }
        begin_ += static_cast<std::size_t>(written);
        return State::flowing;
    }
    const std::size_t most = std::min(buffer_.size(), left_);
    const ssize_t size = most == 0 ? 0 : ::read(source_, buffer_.data(), most);
    if (size <= 0) {
        return size < 0 && try_again(errno) ? State::flowing : State::source_ended;
    }
    left_ -= static_cast<std::size_t>(left_ == SIZE_MAX ? 0 : size);
    begin_ = 0;
    end_ = static_cast<std::size_t>(size);
    return State::flowing;
}

} // namespace lodge::cli
