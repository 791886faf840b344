#include "network/netlink.hpp"

#include "lib/kernel/fs.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sched.h>

namespace lodge::network {

void SocketFree::operator()(nl_sock* socket) const {
    nl_socket_free(socket);
}

Result<RouteSocket> open_route_socket() {
    RouteSocket socket(nl_socket_alloc());
    if (!socket) {
        return fail(ErrorCode::resource_exhausted, "no memory for a netlink socket");
    }
    RETURN_IF_ERROR(check_nl(nl_connect(socket.get(), NETLINK_ROUTE), "connect to", "rtnetlink"));
    return socket;
}

Result<RouteSocket> open_route_socket_in(int netns_fd) {
    ASSIGN_OR_RETURN(const UniqueFd home, kernel::open_file("/proc/thread-self/ns/net", O_RDONLY));
    if (::setns(netns_fd, CLONE_NEWNET) != 0) {
        return fail_errno("setns", "the container's network namespace");
    }
    Result<RouteSocket> socket = open_route_socket();
    if (::setns(home.get(), CLONE_NEWNET) != 0) {
        std::abort();
    }
    return socket;
}

Status check_nl(int rc, std::string_view what, std::string_view subject) {
    if (rc >= 0) {
        return {};
    }
    ErrorCode code = ErrorCode::kernel;
    switch (-rc) {
    case NLE_PERM:
    case NLE_NOACCESS:
        code = ErrorCode::permission_denied;
        break;
    case NLE_EXIST:
        code = ErrorCode::already_exists;
        break;
    case NLE_OBJ_NOTFOUND:
    case NLE_NODEV:
        code = ErrorCode::not_found;
        break;
    case NLE_NOMEM:
        code = ErrorCode::resource_exhausted;
        break;
    case NLE_OPNOTSUPP:
        code = ErrorCode::unsupported;
        break;
    default:
        break;
    }
    return fail(code, std::string(what) + " '" + std::string(subject) + "': " + nl_geterror(rc));
}

} // namespace lodge::network
