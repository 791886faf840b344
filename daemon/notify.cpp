#include "daemon/notify.hpp"

#include "lib/base/unique_fd.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace lodge::daemon {

// The protocol of sd_notify(3), "Notes": one datagram to the socket that NOTIFY_SOCKET names; a
// first '@' stands for the null byte of an abstract address.
Status notify_service_manager(std::string_view state) {
    const char* const name =
        std::getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe): nobody writes it
    if (name == nullptr || *name == '\0') {
        return {};
    }
    const std::string_view path(name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if ((path[0] != '/' && path[0] != '@') || path.size() >= sizeof address.sun_path) {
        return fail(ErrorCode::invalid_argument, "NOTIFY_SOCKET is no socket's path");
    }
    std::memcpy(&address.sun_path[0], path.data(), path.size());
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return fail_errno("socket");
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (::sendto(socket.get(),
                 state.data(),
                 state.size(),
                 MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address),
                 size) < 0) {
        return fail_errno("notify the service manager at", path);
    }
    return {};
}

} // namespace lodge::daemon
