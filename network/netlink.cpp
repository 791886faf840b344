#include "network/netlink.hpp"

#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::network {

namespace {

struct AddressPut {
    void operator()(rtnl_addr* address) const { rtnl_addr_put(address); }
};
using Address = std::unique_ptr<rtnl_addr, AddressPut>;
struct RoutePut {
    void operator()(rtnl_route* route) const { rtnl_route_put(route); }
};
using Route = std::unique_ptr<rtnl_route, RoutePut>;

struct CallbackPut {
    void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};

NlAddr nl_address(const model::IpAddress& address) {
    const int family = address.is_v4() ? AF_INET : AF_INET6;
    return NlAddr(nl_addr_build(family, address.bytes().data(), address.bits() / 8));
}

// Nothing when it is of another family than ours.
bool ip_address(const nl_addr* address, model::IpAddress& into) {
    if (address == nullptr) {
        return false;
    }
    const auto* bytes = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address));
    const int family = nl_addr_get_family(address);
    if (family == AF_INET && nl_addr_get_len(address) == 4) {
        std::array<std::uint8_t, 4> v4{};
        std::copy_n(bytes, v4.size(), v4.begin());
        into = model::IpAddress::v4(v4);
        return true;
    }
    if (family == AF_INET6 && nl_addr_get_len(address) == 16) {
        std::array<std::uint8_t, 16> v6{};
        std::copy_n(bytes, v6.size(), v6.begin());
        into = model::IpAddress::v6(v6);
        return true;
    }
    return false;
}

ErrorCode code_of(int nl_error) {
    switch (nl_error) {
    case NLE_NOMEM:
        return ErrorCode::resource_exhausted;
    case NLE_OPNOTSUPP:
    case NLE_AF_NOSUPPORT:
    case NLE_PROTO_MISMATCH:
        return ErrorCode::unsupported;
    default:
        return ErrorCode::kernel;
    }
}

bool is_no_object(int rc) {
    return rc == -NLE_OBJ_NOTFOUND || rc == -NLE_NODEV;
}

} // namespace

void SocketFree::operator()(nl_sock* socket) const {
    nl_socket_free(socket);
}
void LinkPut::operator()(rtnl_link* link) const {
    rtnl_link_put(link);
}
void NlAddrPut::operator()(nl_addr* address) const {
    nl_addr_put(address);
}
void CacheFree::operator()(nl_cache* cache) const {
    nl_cache_free(cache);
}
void MessageFree::operator()(nl_msg* message) const {
    nlmsg_free(message);
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
    Result<RouteSocket> socket = open_route_socket(); // every return comes after the way back
    if (::setns(home.get(), CLONE_NEWNET) != 0) {
        std::abort();
    }
    return socket;
}

Status check_nl(int rc, std::string_view what, std::string_view subject) {
    if (rc >= 0) {
        return {};
    }
    std::string sentence(what);
    sentence.append(" '").append(subject).append("': ");
    if (-rc == NLE_PERM || -rc == NLE_NOACCESS) {
        sentence += "only a process with CAP_NET_ADMIN may do this";
    } else {
        sentence += nl_geterror(rc);
    }
    Error error(code_of(-rc), std::move(sentence));
    return std::unexpected<Error>(is_no_object(rc) ? std::move(error).with_errno(ENOENT)
                                                   : std::move(error));
}

bool is_absent(const Error& error) {
    return error.sys_errno() == ENOENT;
}

bool has_ipv6() {
    return ::access("/proc/sys/net/ipv6/conf", F_OK) == 0;
}

Message link_request(int type, int flags, int index, unsigned change_to) {
    Message message(nlmsg_alloc_simple(type, flags));
    ifinfomsg header{};
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = index;
    header.ifi_flags = change_to;
    header.ifi_change = change_to;
    if (message && nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) {
        message.reset();
    }
    return message;
}

Status send(nl_sock* socket, Message message, std::string_view what, std::string_view subject) {
    if (!message) {
        return fail(ErrorCode::resource_exhausted, "no memory for a netlink message");
    }
    return check_nl(nl_send_sync(socket, message.release()), what, subject); // frees it
}

Status dump(nl_sock* socket,
            int request,
            int answer,
            std::span<const std::byte> header,
            const std::function<void(nlmsghdr*)>& visit) {
    struct Visit {
        int answer;
        const std::function<void(nlmsghdr*)>& visit;
    } each{answer, visit};
    const auto on_message = [](nl_msg* message, void* argument) -> int {
        const auto& of = *static_cast<const Visit*>(argument);
        if (nlmsg_hdr(message)->nlmsg_type == of.answer) {
            of.visit(nlmsg_hdr(message));
        }
        return NL_OK;
    };
    const std::unique_ptr<nl_cb, CallbackPut> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
    if (!callbacks) {
        return fail(ErrorCode::resource_exhausted, "no memory for a netlink request");
    }
    (void)nl_cb_set(
        callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_message, &each); // both are known
    constexpr int kMostPasses = 16;
    int rc = -NLE_DUMP_INTR; // the objects changed during the dump, which may have holes
    for (int pass = 0; pass < kMostPasses && rc == -NLE_DUMP_INTR; ++pass) {
        // Sent as it is; libnl's parameter is not const.
        void* const bytes = const_cast<std::byte*>(header.data());
        rc = nl_send_simple(socket, request, NLM_F_DUMP, bytes, header.size());
        rc = rc < 0 ? rc : nl_recvmsgs(socket, callbacks.get());
    }
    return check_nl(rc, "list what is of", "rtnetlink");
}

Result<Link> find_link(nl_sock* socket, const std::string& name) {
    rtnl_link* raw = nullptr;
    RETURN_IF_ERROR(
        check_nl(rtnl_link_get_kernel(socket, 0, name.c_str(), &raw), "find the link", name));
    return Link(raw);
}

Status set_up(nl_sock* socket, int index, const std::string& name) {
    return send(socket, link_request(RTM_NEWLINK, 0, index, IFF_UP), "set up the link", name);
}

Status remove_link(nl_sock* socket, const std::string& name) {
    const Link request(rtnl_link_alloc());
    rtnl_link_set_name(request.get(), name.c_str());
    const int rc = rtnl_link_delete(socket, request.get());
    if (is_no_object(rc)) {
        return {};
    }
    return check_nl(rc, "remove the link", name);
}

Status for_each_link(nl_sock* socket, const std::function<void(rtnl_link*)>& visit) {
    nl_cache* raw = nullptr;
    RETURN_IF_ERROR(check_nl(rtnl_link_alloc_cache(socket, AF_UNSPEC, &raw), "list", "links"));
    const Cache cache(raw);
    for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
         object = nl_cache_get_next(object)) {
        visit(reinterpret_cast<rtnl_link*>(object));
    }
    return {};
}

Result<std::vector<LinkAddress>> list_addresses(nl_sock* socket) {
    nl_cache* raw = nullptr;
    RETURN_IF_ERROR(check_nl(rtnl_addr_alloc_cache(socket, &raw), "list", "addresses"));
    const Cache cache(raw);
    std::vector<LinkAddress> addresses;
    for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
         object = nl_cache_get_next(object)) {
        auto* address = reinterpret_cast<rtnl_addr*>(object);
        model::CidrAddress cidr;
        if (!ip_address(rtnl_addr_get_local(address), cidr.address)) {
            continue;
        }
        cidr.prefix = static_cast<unsigned>(rtnl_addr_get_prefixlen(address));
        addresses.push_back({.link = rtnl_addr_get_ifindex(address),
                             .address = cidr,
                             .link_local = rtnl_addr_get_scope(address) == RT_SCOPE_LINK});
    }
    return addresses;
}

Status add_address(nl_sock* socket, int link, const model::CidrAddress& cidr) {
    const Address address(rtnl_addr_alloc());
    const NlAddr local = nl_address(cidr.address);
    rtnl_addr_set_ifindex(address.get(), link);
    RETURN_IF_ERROR(check_nl(
        rtnl_addr_set_local(address.get(), local.get()), "use the address", cidr.to_string()));
    rtnl_addr_set_prefixlen(address.get(), static_cast<int>(cidr.prefix));
    if (cidr.address.is_v4() && cidr.prefix < 31) {
        const std::uint64_t hosts = (std::uint64_t{1} << (32 - cidr.prefix)) - 1;
        const NlAddr broadcast = nl_address(cidr.network().plus(hosts));
        RETURN_IF_ERROR(check_nl(rtnl_addr_set_broadcast(address.get(), broadcast.get()),
                                 "use the broadcast of",
                                 cidr.to_string()));
    }
    // The pool hands each address out once, so duplicate address detection would only cost a second
    // in which the address cannot be used.
    rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
    return check_nl(rtnl_addr_add(socket, address.get(), NLM_F_CREATE | NLM_F_REPLACE),
                    "add the address",
                    cidr.to_string());
}

Status remove_address(nl_sock* socket, const LinkAddress& gone) {
    const Address address(rtnl_addr_alloc());
    const NlAddr local = nl_address(gone.address.address);
    rtnl_addr_set_ifindex(address.get(), gone.link);
    RETURN_IF_ERROR(check_nl(rtnl_addr_set_local(address.get(), local.get()),
                             "use the address",
                             gone.address.to_string()));
    rtnl_addr_set_prefixlen(address.get(), static_cast<int>(gone.address.prefix));
    return check_nl(
        rtnl_addr_delete(socket, address.get(), 0), "remove the address", gone.address.to_string());
}

Status
renew_neighbour(nl_sock* socket, int link, const model::IpAddress& address, const MacAddress& mac) {
    Message message(nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_REPLACE)); // and no NLM_F_CREATE
    ndmsg header{};
    header.ndm_family = address.is_v4() ? AF_INET : AF_INET6;
    header.ndm_ifindex = link;
    header.ndm_state = NUD_STALE;
    const int bytes = static_cast<int>(address.bits() / 8);
    if (message &&
        (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
         nla_put(message.get(), NDA_DST, bytes, address.bytes().data()) < 0 ||
         nla_put(message.get(), NDA_LLADDR, static_cast<int>(mac.size()), mac.data()) < 0)) {
        message.reset();
    }
    Status status = send(socket, std::move(message), "renew the neighbour", address.to_string());
    const bool unknown = !status && is_absent(status.error());
    return unknown ? Status{} : status;
}

Status add_default_route(nl_sock* socket, int link, const model::IpAddress& gateway) {
    const Route route(rtnl_route_alloc());
    const model::IpAddress any =
        gateway.is_v4() ? model::IpAddress::v4({}) : model::IpAddress::v6({});
    const NlAddr destination = nl_address(any);
    nl_addr_set_prefixlen(destination.get(), 0);
    RETURN_IF_ERROR(
        check_nl(rtnl_route_set_dst(route.get(), destination.get()), "route to", "default"));
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    const NlAddr via = nl_address(gateway);
    rtnl_route_nh_set_ifindex(hop, link);
    rtnl_route_nh_set_gateway(hop, via.get());
    rtnl_route_add_nexthop(route.get(), hop); // owns it from here
    return check_nl(rtnl_route_add(socket, route.get(), NLM_F_CREATE | NLM_F_REPLACE),
                    "add the default route via",
                    gateway.to_string());
}

} // namespace lodge::network
