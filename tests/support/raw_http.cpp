#include "tests/support/raw_http.hpp"

#include "lib/base/clock.hpp"
#include "tests/support/patience.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace lodge::test {

RawHttp::RawHttp(const std::string& socket_path)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(&address.sun_path[0], socket_path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
}

bool RawHttp::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const ssize_t size = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size < 0 && errno != EINTR) {
            return false;
        }
        bytes.remove_prefix(size > 0 ? static_cast<std::size_t>(size) : 0);
    }
    return true;
}

void RawHttp::finish() const {
    (void)::shutdown(socket_.get(), SHUT_WR); // the peer may have closed already
}

std::string RawHttp::beginning() const {
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    std::array<char, 4096> chunk{};
    const ssize_t size = ::poll(&wait, 1, deadline.poll_timeout()) == 1
                             ? ::recv(socket_.get(), chunk.data(), chunk.size(), 0)
                             : -1;
    return {chunk.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

Result<std::string> RawHttp::answer() const {
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
    std::string text;
    while (true) {
        pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, deadline.poll_timeout()) != 1) {
            return fail(ErrorCode::timeout, "the connection stays open after: " + text);
        }
        std::array<char, 4096> chunk{};
        const ssize_t size = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
        if (size == 0 || (size < 0 && errno == ECONNRESET)) {
            return text; // a reset: the peer did not read all our bytes
        }
        if (size < 0) {
            return fail_errno("recv");
        }
        text.append(chunk.data(), static_cast<std::size_t>(size));
    }
}

} // namespace lodge::test
