#include "daemon/containers/readiness.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr std::uint16_t kSshPort = 22;

UniqueFd begin_connect(const model::IpAddress& address) {
    UniqueFd socket(::socket(
        address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_storage target{};
    socklen_t size = 0;
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(kSshPort);
        std::memcpy(&v4.sin_addr, address.bytes().data(), 4);
        std::memcpy(&target, &v4, size = sizeof v4);
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(kSshPort);
        std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
        std::memcpy(&target, &v6, size = sizeof v6);
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&target), size) != 0 &&
        errno != EINPROGRESS) {
        return UniqueFd();
    }
    return socket;
}

// RFC 4253, section 4.2: the server's first line begins with "SSH-".
bool greets(const UniqueFd& socket) {
    std::array<char, 4> start{};
    return ::recv(socket.get(), start.data(), start.size(), MSG_DONTWAIT) == 4 &&
           std::string_view(start.data(), 4) == "SSH-";
}

} // namespace

bool SshKnock::answered_within(std::chrono::milliseconds span) {
    constexpr auto kPatience = std::chrono::milliseconds(2000);
    const Deadline end = Deadline::after(span);
    if (patience_.expired() || !socket_) {
        socket_ = begin_connect(address_);
        patience_ = Deadline::after(kPatience);
    }
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, end.poll_timeout()) == 1) {
        if (greets(socket_)) {
            return true;
        }
        // A refusal means "not yet", and nothing announces the server: the next attempt comes after
        // the span.
        socket_.reset();
        (void)::poll(nullptr, 0, end.poll_timeout()); // only time passes
    }
    return false;
}

} // namespace lodge::daemon
