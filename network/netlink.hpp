#pragma once

#include "lib/base/error.hpp"
#include "lib/model/address.hpp"
#include "network/mac.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct nl_addr;
struct nl_cache;
struct nl_msg;
struct nl_sock;
struct nlmsghdr;
struct rtnl_link;

/// rtnetlink in the words of this room, over libnl-3 and libnl-route-3.
namespace lodge::network {

struct SocketFree {
    void operator()(nl_sock* socket) const;
};
using RouteSocket = std::unique_ptr<nl_sock, SocketFree>;
struct LinkPut {
    void operator()(rtnl_link* link) const;
};
using Link = std::unique_ptr<rtnl_link, LinkPut>;
struct NlAddrPut {
    void operator()(nl_addr* address) const;
};
using NlAddr = std::unique_ptr<nl_addr, NlAddrPut>;
struct CacheFree {
    void operator()(nl_cache* cache) const;
};
using Cache = std::unique_ptr<nl_cache, CacheFree>;
struct MessageFree {
    void operator()(nl_msg* message) const;
};
using Message = std::unique_ptr<nl_msg, MessageFree>;

/// A NETLINK_ROUTE socket in the calling thread's network namespace.
[[nodiscard]] Result<RouteSocket> open_route_socket();
/// One in the namespace of `netns_fd`: a socket belongs to the namespace it was made in, so the
/// thread goes there and back for one system call. Aborts when it cannot come back (a thread in the
/// wrong namespace would configure a tenant's network as the host's).
[[nodiscard]] Result<RouteSocket> open_route_socket_in(int netns_fd);

/// Turns a libnl return code (negative) into an error that says `what` failed on `subject`.
[[nodiscard]] Status check_nl(int rc, std::string_view what, std::string_view subject);

/// Whether the kernel refused because it knows no such link, neighbour or address.
[[nodiscard]] bool is_absent(const Error& error);

/// Whether this kernel does IPv6 at all (ipv6.disable=1 takes it away).
[[nodiscard]] bool has_ipv6();

/// A request about the link `index` (0: named in its attributes).
[[nodiscard]] Message link_request(int type, int flags, int index, unsigned change_to = 0);
/// Sends and waits for the acknowledgement.
[[nodiscard]] Status
send(nl_sock* socket, Message message, std::string_view what, std::string_view subject);

/// Asks for all of a kind, with the family's header, and visits each answer of the type `answer`.
/// What changes meanwhile may be visited twice.
[[nodiscard]] Status dump(nl_sock* socket,
                          int request,
                          int answer,
                          std::span<const std::byte> header,
                          const std::function<void(nlmsghdr*)>& visit);

/// Where there is none of this name, is_absent().
[[nodiscard]] Result<Link> find_link(nl_sock* socket, const std::string& name);
[[nodiscard]] Status set_up(nl_sock* socket, int index, const std::string& name);
/// Success when there is no such link.
[[nodiscard]] Status remove_link(nl_sock* socket, const std::string& name);
[[nodiscard]] Status for_each_link(nl_sock* socket, const std::function<void(rtnl_link*)>& visit);

/// An address of a link as the kernel tells it.
struct LinkAddress {
    int link = 0;
    model::CidrAddress address;
    bool link_local = false; ///< by scope: the kernel made it
};
[[nodiscard]] Result<std::vector<LinkAddress>> list_addresses(nl_sock* socket);
/// Success when the link has it already.
[[nodiscard]] Status add_address(nl_sock* socket, int link, const model::CidrAddress& address);
[[nodiscard]] Status remove_address(nl_sock* socket, const LinkAddress& address);
/// A neighbour that the kernel remembers at `link` has this MAC address from now on; one that it
/// does not know stays unknown.
[[nodiscard]] Status
renew_neighbour(nl_sock* socket, int link, const model::IpAddress& address, const MacAddress& mac);
/// Instead of any other default route of this family.
[[nodiscard]] Status add_default_route(nl_sock* socket, int link, const model::IpAddress& gateway);

} // namespace lodge::network
