#include "lib/kernel/fs.hpp"
#include "network/netlink.hpp"
#include "network/network.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

constexpr const char* kContainerLink = "eth0";

struct LinkPut {
    void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
using Link = std::unique_ptr<rtnl_link, LinkPut>;
struct AddrPut {
    void operator()(rtnl_addr* address) const { rtnl_addr_put(address); }
};
using LinkAddress = std::unique_ptr<rtnl_addr, AddrPut>;
struct RoutePut {
    void operator()(rtnl_route* route) const { rtnl_route_put(route); }
};
using Route = std::unique_ptr<rtnl_route, RoutePut>;
struct NlAddrPut {
    void operator()(nl_addr* address) const { nl_addr_put(address); }
};
using NlAddr = std::unique_ptr<nl_addr, NlAddrPut>;
struct CacheFree {
    void operator()(nl_cache* cache) const { nl_cache_free(cache); }
};
using Cache = std::unique_ptr<nl_cache, CacheFree>;

int family_of(const model::IpAddress& address) {
    return address.is_v4() ? AF_INET : AF_INET6;
}

NlAddr nl_address(const model::IpAddress& address) {
    return NlAddr(nl_addr_build(family_of(address), address.bytes().data(), address.bits() / 8));
}

Result<Link> find_link(nl_sock* socket, const std::string& name) {
    rtnl_link* raw = nullptr;
    RETURN_IF_ERROR(
        check_nl(rtnl_link_get_kernel(socket, 0, name.c_str(), &raw), "find the link", name));
    return Link(raw);
}

Status set_up(nl_sock* socket, rtnl_link* link) {
    const Link change(rtnl_link_alloc());
    rtnl_link_set_flags(change.get(), IFF_UP);
    return check_nl(rtnl_link_change(socket, link, change.get(), 0),
                    "set up the link",
                    rtnl_link_get_name(link));
}

Status add_address(nl_sock* socket, rtnl_link* link, const model::CidrAddress& cidr) {
    const LinkAddress address(rtnl_addr_alloc());
    const NlAddr local = nl_address(cidr.address);
    rtnl_addr_set_ifindex(address.get(), rtnl_link_get_ifindex(link));
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

Status add_default_route(nl_sock* socket, rtnl_link* link, const model::IpAddress& gateway) {
    const Route route(rtnl_route_alloc());
    const model::IpAddress any =
        gateway.is_v4() ? model::IpAddress::v4({}) : model::IpAddress::v6({});
    const NlAddr destination = nl_address(any);
    nl_addr_set_prefixlen(destination.get(), 0);
    RETURN_IF_ERROR(
        check_nl(rtnl_route_set_dst(route.get(), destination.get()), "route to", "default"));
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    const NlAddr via = nl_address(gateway);
    rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
    rtnl_route_nh_set_gateway(hop, via.get());
    rtnl_route_add_nexthop(route.get(), hop); // owns it from here
    return check_nl(rtnl_route_add(socket, route.get(), NLM_F_CREATE | NLM_F_REPLACE),
                    "add the default route via",
                    gateway.to_string());
}

// Addresses of the link that are ours to take away: all but link-local ones, which the kernel made.
Status remove_other_addresses(nl_sock* socket,
                              rtnl_link* link,
                              const std::vector<model::CidrAddress>& wanted) {
    nl_cache* raw = nullptr;
    RETURN_IF_ERROR(check_nl(
        rtnl_addr_alloc_cache(socket, &raw), "list the addresses of", rtnl_link_get_name(link)));
    const Cache cache(raw);
    for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
         object = nl_cache_get_next(object)) {
        auto* address = reinterpret_cast<rtnl_addr*>(object);
        if (rtnl_addr_get_ifindex(address) != rtnl_link_get_ifindex(link) ||
            rtnl_addr_get_scope(address) == RT_SCOPE_LINK) {
            continue;
        }
        std::array<char, 64> text{};
        (void)nl_addr2str(
            rtnl_addr_get_local(address), text.data(), text.size()); // returns its buffer
        const std::string shown = text.data();
        const bool keep =
            std::any_of(wanted.begin(), wanted.end(), [&](const model::CidrAddress& cidr) {
                return shown == cidr.to_string();
            });
        if (!keep) {
            RETURN_IF_ERROR(
                check_nl(rtnl_addr_delete(socket, address, 0), "remove the address", shown));
        }
    }
    return {};
}

Status check_bridge(rtnl_link* link, const std::string& name) {
    const char* type = rtnl_link_get_type(link);
    if (type == nullptr || std::string_view(type) != "bridge") {
        return fail(ErrorCode::already_exists,
                    "the link '" + name +
                        "' exists and is not a bridge; set network.bridge to another name");
    }
    return {};
}

Result<Link> veth_request(const Nic& nic, int netns_fd, int bridge_index) {
    Link link(rtnl_link_veth_alloc());
    if (!link) {
        return fail(ErrorCode::resource_exhausted, "no memory for a link request");
    }
    rtnl_link_set_name(link.get(), nic.host_name().c_str());
    rtnl_link_set_mtu(link.get(), nic.mtu);
    rtnl_link_set_master(link.get(), bridge_index);
    rtnl_link_set_flags(link.get(), IFF_UP);
    const Link peer(rtnl_link_veth_get_peer(link.get()));
    rtnl_link_set_name(peer.get(), kContainerLink);
    rtnl_link_set_mtu(peer.get(), nic.mtu);
    rtnl_link_set_ns_fd(peer.get(), netns_fd);
    nl_addr* raw = nullptr;
    RETURN_IF_ERROR(check_nl(nl_addr_parse(nic.mac_address.c_str(), AF_LLC, &raw),
                             "use the MAC address",
                             nic.mac_address));
    const NlAddr mac(raw);
    rtnl_link_set_addr(peer.get(), mac.get());
    return link;
}

Status configure_inside(const Nic& nic, int netns_fd) {
    ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket_in(netns_fd));
    ASSIGN_OR_RETURN(const Link loopback, find_link(socket.get(), "lo"));
    RETURN_IF_ERROR(set_up(socket.get(), loopback.get()));
    ASSIGN_OR_RETURN(const Link card, find_link(socket.get(), kContainerLink));
    for (const model::CidrAddress& address : nic.addresses) {
        RETURN_IF_ERROR(add_address(socket.get(), card.get(), address));
    }
    RETURN_IF_ERROR(set_up(socket.get(), card.get()));
    for (const model::IpAddress& gateway : nic.gateways) {
        RETURN_IF_ERROR(add_default_route(socket.get(), card.get(), gateway));
    }
    return {};
}

class RouteLinkDriver final : public LinkDriver {
  public:
    Status ensure_bridge(const BridgeSpec& bridge) override {
        if (bridge.name.empty() || bridge.name.size() >= IFNAMSIZ) {
            return fail(ErrorCode::invalid_argument,
                        "'" + bridge.name + "' is not a link name: 1 to 15 characters");
        }
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        const Link request(rtnl_link_bridge_alloc());
        rtnl_link_set_name(request.get(), bridge.name.c_str());
        rtnl_link_set_mtu(request.get(), bridge.mtu);
        const int rc = rtnl_link_add(socket.get(), request.get(), NLM_F_CREATE | NLM_F_EXCL);
        if (rc != -NLE_EXIST) {
            RETURN_IF_ERROR(check_nl(rc, "make the bridge", bridge.name));
        }
        ASSIGN_OR_RETURN(const Link link, find_link(socket.get(), bridge.name));
        RETURN_IF_ERROR(check_bridge(link.get(), bridge.name));
        RETURN_IF_ERROR(remove_other_addresses(socket.get(), link.get(), bridge.addresses));
        for (const model::CidrAddress& address : bridge.addresses) {
            RETURN_IF_ERROR(add_address(socket.get(), link.get(), address));
        }
        return set_up(socket.get(), link.get());
    }

    Status remove_bridge(const std::string& name) override { return detach(name); }

    Status attach(const Nic& nic, int netns_fd) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        ASSIGN_OR_RETURN(const Link bridge, find_link(socket.get(), nic.bridge));
        ASSIGN_OR_RETURN(const Link request,
                         veth_request(nic, netns_fd, rtnl_link_get_ifindex(bridge.get())));
        int rc = rtnl_link_add(socket.get(), request.get(), NLM_F_CREATE | NLM_F_EXCL);
        if (rc == -NLE_EXIST) {
            // Left by an earlier start of the same container whose card is still on its way out.
            RETURN_IF_ERROR(detach(nic.host_name()));
            rc = rtnl_link_add(socket.get(), request.get(), NLM_F_CREATE | NLM_F_EXCL);
        }
        RETURN_IF_ERROR(check_nl(rc, "make the veth pair", nic.host_name()));
        Status status = configure_inside(nic, netns_fd);
        if (!status) {
            (void)detach(nic.host_name()); // the first error is the one to tell
        }
        return status;
    }

    Status detach(const std::string& host_name) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        const Link request(rtnl_link_alloc());
        rtnl_link_set_name(request.get(), host_name.c_str());
        const int rc = rtnl_link_delete(socket.get(), request.get());
        if (rc == -NLE_OBJ_NOTFOUND || rc == -NLE_NODEV) {
            return {};
        }
        return check_nl(rc, "remove the link", host_name);
    }

    Result<std::vector<std::string>> links(const std::string& prefix) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        nl_cache* raw = nullptr;
        RETURN_IF_ERROR(
            check_nl(rtnl_link_alloc_cache(socket.get(), AF_UNSPEC, &raw), "list", "links"));
        const Cache cache(raw);
        std::vector<std::string> names;
        for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
             object = nl_cache_get_next(object)) {
            const std::string name = rtnl_link_get_name(reinterpret_cast<rtnl_link*>(object));
            if (name.rfind(prefix, 0) == 0) {
                names.push_back(name);
            }
        }
        return names;
    }
};

} // namespace

std::unique_ptr<LinkDriver> make_link_driver() {
    return std::make_unique<RouteLinkDriver>();
}

Status enable_forwarding() {
    for (const char* path :
         {"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"}) {
        const auto file = kernel::open_file(path, O_WRONLY);
        if (!file && file.error().sys_errno() == ENOENT) {
            continue; // a kernel without IPv6
        }
        if (!file) {
            return std::unexpected<Error>(file.error());
        }
        RETURN_IF_ERROR(with_context(kernel::write_all(file->get(), "1"),
                                     std::string("enable forwarding in ") + path));
    }
    return {};
}

} // namespace lodge::network
