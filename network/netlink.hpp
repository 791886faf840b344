#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string_view>

struct nl_sock;

namespace lodge::network {

struct SocketFree {
    void operator()(nl_sock* socket) const;
};
using RouteSocket = std::unique_ptr<nl_sock, SocketFree>;

/// A NETLINK_ROUTE socket in the calling thread's network namespace.
[[nodiscard]] Result<RouteSocket> open_route_socket();
/// One in the namespace of `netns_fd`: a socket belongs to the namespace it was made in, so the
/// thread goes there and back for one system call. Aborts when it cannot come back (a thread in the
/// wrong namespace would configure a tenant's network as the host's).
[[nodiscard]] Result<RouteSocket> open_route_socket_in(int netns_fd);

/// Turns a libnl return code (negative) into an error that says `what` failed on `subject`.
[[nodiscard]] Status check_nl(int rc, std::string_view what, std::string_view subject);

} // namespace lodge::network
