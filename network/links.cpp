#include "network/bridge.hpp"
#include "network/link_removal.hpp"
#include "network/netlink.hpp"
#include "network/network.hpp"

#include <array>
#include <cstdint>
#include <string_view>

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

constexpr const char* kContainerLink = "eth0";

Result<NlAddr> parse_mac(const std::string& text) {
    nl_addr* raw = nullptr;
    RETURN_IF_ERROR(
        check_nl(nl_addr_parse(text.c_str(), AF_LLC, &raw), "use the MAC address", text));
    return NlAddr(raw);
}

// One request makes the pair, with the far end born in the container's namespace under its final
// name. One queue each: a pair is no wire, and every further queue costs memory per container.
Result<Link> veth_request(const Nic& nic, nl_addr* mac, int netns_fd, int bridge_index) {
    Link link(rtnl_link_veth_alloc());
    if (!link) {
        return fail(ErrorCode::resource_exhausted, "no memory for a link request");
    }
    rtnl_link_set_name(link.get(), nic.host_name().c_str());
    rtnl_link_set_mtu(link.get(), nic.mtu);
    rtnl_link_set_master(link.get(), bridge_index);
    rtnl_link_set_num_tx_queues(link.get(), 1);
    rtnl_link_set_num_rx_queues(link.get(), 1);
    const Link peer(rtnl_link_veth_get_peer(link.get()));
    rtnl_link_set_name(peer.get(), kContainerLink);
    rtnl_link_set_mtu(peer.get(), nic.mtu);
    rtnl_link_set_num_tx_queues(peer.get(), 1);
    rtnl_link_set_num_rx_queues(peer.get(), 1);
    rtnl_link_set_ns_fd(peer.get(), netns_fd);
    rtnl_link_set_addr(peer.get(), mac);
    return link;
}

// What the bridge does at this port. It learns no address from it and floods to it only what is for
// everybody, since the one address behind it is known for good. Frames to 01:80:c2:00:00:0x are
// forwarded like others: what the bridge does not forward it would hand to the host itself, past
// its prerouting hook, and with it past the firewall's rules.
Status put_port_options(nl_msg* message) {
    constexpr std::uint16_t kAllButPause = 0xfffd; // the kernel takes no other mask at a port
    nlattr* const info = nla_nest_start(message, IFLA_LINKINFO);
    (void)nla_put_string(message, IFLA_INFO_SLAVE_KIND, "bridge"); // all fit, or nest_end fails
    nlattr* const port = nla_nest_start(message, IFLA_INFO_SLAVE_DATA);
    (void)nla_put_u8(message, IFLA_BRPORT_LEARNING, 0);
    (void)nla_put_u8(message, IFLA_BRPORT_UNICAST_FLOOD, 0);
    (void)nla_put_u8(message, IFLA_BRPORT_MODE, BRIDGE_MODE_UNSPEC);
    int rc = nla_put_u16(message, IFLA_BRPORT_GROUP_FWD_MASK, kAllButPause);
    if (rc == 0 && info != nullptr && port != nullptr) {
        nla_nest_end(message, port);
        rc = nla_nest_end(message, info);
    }
    return check_nl(rc, "build the request for", "a bridge's port");
}

// The host's end needs no IPv6 address of its own; the bridge has one.
Status put_no_ipv6_address(nl_msg* message) {
    if (!has_ipv6()) {
        return {};
    }
    nlattr* const families = nla_nest_start(message, IFLA_AF_SPEC);
    nlattr* const inet6 = nla_nest_start(message, AF_INET6);
    const int rc = nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    if (rc != 0 || families == nullptr || inet6 == nullptr) {
        return fail(ErrorCode::resource_exhausted, "no memory for a link request");
    }
    nla_nest_end(message, inet6);
    nla_nest_end(message, families);
    return {};
}

Status configure_port(nl_sock* socket, int index, const std::string& name) {
    Message message = link_request(RTM_NEWLINK, 0, index, IFF_UP);
    if (!message) {
        return fail(ErrorCode::resource_exhausted, "no memory for a link request");
    }
    RETURN_IF_ERROR(put_port_options(message.get()));
    RETURN_IF_ERROR(put_no_ipv6_address(message.get()));
    return send(socket, std::move(message), "set the bridge's port", name);
}

// Where frames for the container go: a static entry of the bridge's forwarding database, gone with
// the port.
Status add_forwarding_entry(nl_sock* socket, int port, const nl_addr* mac) {
    Message message(nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE));
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = port;
    header.ndm_state = NUD_NOARP;
    header.ndm_flags = NTF_MASTER;
    if (message && (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
                    nla_put(message.get(),
                            NDA_LLADDR,
                            static_cast<int>(nl_addr_get_len(mac)),
                            nl_addr_get_binary_addr(mac)) < 0)) {
        message.reset();
    }
    return send(socket, std::move(message), "tell the bridge the address of", "the card");
}

Status configure_outside(nl_sock* socket, const Nic& nic, const nl_addr* mac) {
    const std::string name = nic.host_name();
    const auto index = static_cast<int>(::if_nametoindex(name.c_str()));
    if (index == 0) {
        return fail_errno("find the link", name);
    }
    RETURN_IF_ERROR(configure_port(socket, index, name));
    return add_forwarding_entry(socket, index, mac);
}

Status configure_inside(const Nic& nic, int netns_fd) {
    ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket_in(netns_fd));
    constexpr int kLoopbackIndex = 1; // LOOPBACK_IFINDEX of every namespace
    RETURN_IF_ERROR(set_up(socket.get(), kLoopbackIndex, "lo"));
    ASSIGN_OR_RETURN(const Link card, find_link(socket.get(), kContainerLink));
    const int index = rtnl_link_get_ifindex(card.get());
    for (const model::CidrAddress& address : nic.addresses) {
        RETURN_IF_ERROR(add_address(socket.get(), index, address));
    }
    RETURN_IF_ERROR(set_up(socket.get(), index, kContainerLink));
    for (const model::IpAddress& gateway : nic.gateways) {
        RETURN_IF_ERROR(add_default_route(socket.get(), index, gateway));
    }
    return {};
}

class RouteLinkDriver final : public LinkDriver {
  public:
    Status ensure_bridge(const BridgeSpec& bridge) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        return with_context(network::ensure_bridge(socket.get(), bridge),
                            "make the bridge '" + bridge.name + "'");
    }

    Status remove_bridge(const std::string& name) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        return network::remove_bridge(socket.get(), name);
    }

    Status attach(const Nic& nic, int netns_fd) override {
        return with_context(make_card(nic, netns_fd), "attach the card " + nic.host_name());
    }

    Status detach(const std::string& host_name) override { return remove_link_early(host_name); }

    Result<std::vector<std::string>> links(const std::string& prefix) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        std::vector<std::string> names;
        RETURN_IF_ERROR(for_each_link(socket.get(), [&](rtnl_link* link) {
            const std::string name = rtnl_link_get_name(link);
            if (name.rfind(prefix, 0) == 0) {
                names.push_back(name);
            }
        }));
        return names;
    }

  private:
    static Status make_card(const Nic& nic, int netns_fd) {
        ASSIGN_OR_RETURN(const NlAddr mac, parse_mac(nic.mac_address));
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        ASSIGN_OR_RETURN(const Link bridge, find_link(socket.get(), nic.bridge));
        ASSIGN_OR_RETURN(
            const Link request,
            veth_request(nic, mac.get(), netns_fd, rtnl_link_get_ifindex(bridge.get())));
        int rc = rtnl_link_add(socket.get(), request.get(), NLM_F_CREATE | NLM_F_EXCL);
        if (rc == -NLE_EXIST) {
            // Left by an earlier start of the same container whose card is still on its way out.
            RETURN_IF_ERROR(remove_link(socket.get(), nic.host_name()));
            rc = rtnl_link_add(socket.get(), request.get(), NLM_F_CREATE | NLM_F_EXCL);
        }
        RETURN_IF_ERROR(check_nl(rc, "make the veth pair", nic.host_name()));
        Status status = configure_outside(socket.get(), nic, mac.get());
        if (status) {
            status = configure_inside(nic, netns_fd);
        }
        if (!status) {
            (void)remove_link(socket.get(), nic.host_name()); // the first error is the one to tell
        }
        return status;
    }
};

} // namespace

std::unique_ptr<LinkDriver> make_link_driver() {
    return std::make_unique<RouteLinkDriver>();
}

} // namespace lodge::network
