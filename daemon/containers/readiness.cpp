#include "daemon/containers/readiness.hpp"

#include "lib/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

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
bool greets(const UniqueFd& socket, std::chrono::milliseconds patience) {
    if (!socket) {
        return false;
    }
    pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(patience.count())) != 1) {
        return false;
    }
    std::array<char, 4> start{};
    return ::recv(socket.get(), start.data(), start.size(), MSG_DONTWAIT) == 4 &&
           std::string_view(start.data(), 4) == "SSH-";
}

} // namespace

Status wait_for_ssh(const model::IpAddress& address, const Deadline& deadline) {
    // A refused connection says "not yet" and nothing says when: knock again, patiently.
    constexpr auto kBetween = std::chrono::milliseconds(25);
    constexpr auto kPatience = std::chrono::milliseconds(2000);
    while (!deadline.expired()) {
        if (greets(begin_connect(address),
                   std::min<std::chrono::milliseconds>(
                       kPatience,
                       std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left())))) {
            return {};
        }
        (void)::poll(nullptr, 0, static_cast<int>(kBetween.count())); // only time passes
    }
    return fail(ErrorCode::timeout,
                "no SSH server answered at " + address.to_string() + " in time");
}

} // namespace lodge::daemon
