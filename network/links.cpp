#include "network/announcement.hpp"
#include "network/bridge.hpp"
#include "network/forwarding.hpp"
#include "network/link_removal.hpp"
#include "network/netlink.hpp"
#include "network/network.hpp"
#include "network/port.hpp"

#include <mutex>
#include <variant>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

// One request makes the pair, with the far end in the container's namespace under its final name.
// Each end has one queue: a veth pair is no wire, and every further queue costs memory per
// container.
Result<Link> veth_request(const Nic& nic, const MacAddress& mac, int netns_fd, int bridge_index) {
    Link link(rtnl_link_veth_alloc());
    const NlAddr address(nl_addr_build(AF_LLC, mac.data(), mac.size()));
    if (!link || !address) {
        return fail(ErrorCode::resource_exhausted, "no memory for a link request");
    }
    rtnl_link_set_name(link.get(), nic.host_name().c_str());
    rtnl_link_set_mtu(link.get(), nic.mtu);
    rtnl_link_set_master(link.get(), bridge_index);
    rtnl_link_set_num_tx_queues(link.get(), 1);
    rtnl_link_set_num_rx_queues(link.get(), 1);
    const Link peer(rtnl_link_veth_get_peer(link.get()));
    rtnl_link_set_name(peer.get(), nic.name.c_str());
    rtnl_link_set_mtu(peer.get(), nic.mtu);
    rtnl_link_set_num_tx_queues(peer.get(), 1);
    rtnl_link_set_num_rx_queues(peer.get(), 1);
    rtnl_link_set_ns_fd(peer.get(), netns_fd);
    rtnl_link_set_addr(peer.get(), address.get());
    return link;
}

int index_of(const std::string& link) {
    return static_cast<int>(::if_nametoindex(link.c_str())); // 0: no such link
}

// Neighbours may still map the card's addresses to another container's MAC address. This tells the
// host the new MAC address, and all others on the bridge by a frame. Pre: the card is down, because
// it would take the frame for another host's claim.
Status announce_card(nl_sock* socket, Announcer& announcer, const Nic& nic, const MacAddress& mac) {
    const int bridge = index_of(nic.bridge);
    std::vector<Announcement> announcements;
    for (const model::CidrAddress& cidr : nic.addresses) {
        RETURN_IF_ERROR(renew_neighbour(socket, bridge, cidr.address, mac));
        announcements.push_back({.address = cidr.address, .owner = mac});
    }
    // A neighbour that the frame does not reach learns the address some seconds later, so a failure
    // does not fail the start.
    (void)announcer.send(bridge, announcements);
    return {};
}

Status configure_inside(const Nic& nic, int netns_fd) {
    ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket_in(netns_fd));
    constexpr int kLoopbackIndex = 1; // LOOPBACK_IFINDEX of every namespace
    RETURN_IF_ERROR(set_up(socket.get(), kLoopbackIndex, "lo"));
    ASSIGN_OR_RETURN(const Link card, find_link(socket.get(), nic.name));
    const int index = rtnl_link_get_ifindex(card.get());
    for (const model::CidrAddress& address : nic.addresses) {
        RETURN_IF_ERROR(add_address(socket.get(), index, address));
    }
    RETURN_IF_ERROR(set_up(socket.get(), index, nic.name));
    for (const model::IpAddress& gateway : nic.gateways) {
        RETURN_IF_ERROR(add_default_route(socket.get(), index, gateway));
    }
    return {};
}

class RouteLinkDriver final : public LinkDriver {
  public:
    Status ensure_bridge(const BridgeSpec& bridge) override {
        const std::lock_guard guard(bridge_mutex_); // two threads would both make it
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        return with_context(network::ensure_bridge(socket.get(), bridge),
                            "make the bridge '" + bridge.name + "'");
    }

    Status remove_bridge(const std::string& name) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        return network::remove_bridge(socket.get(), name);
    }

    Result<std::string> bridge_fault(const BridgeSpec& bridge) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        return network::bridge_fault(socket.get(), bridge);
    }

    Status ensure_forwarding(const std::string& bridge) override {
        return network::ensure_forwarding(bridge);
    }
    Result<std::string> forwarding_fault(const std::string& bridge) override {
        return network::forwarding_fault(bridge);
    }

    Status attach(const Nic& nic, const CardEnd& end) override {
        const auto made =
            std::visit([&](const InNamespace& in) { return make_card(nic, in.fd); }, end);
        return with_context(made, "attach the card " + nic.host_name());
    }

    Status reattach(const Nic& nic) override {
        return with_context(mend_card(nic), "put back the card " + nic.host_name());
    }

    Status detach(const std::string& host_name) override { return remove_link_early(host_name); }

    Result<std::vector<FoundCard>> cards(const std::string& bridge) override {
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        return find_cards(socket.get(), bridge);
    }

  private:
    Status make_card(const Nic& nic, int netns_fd) {
        const std::string name = nic.host_name();
        ASSIGN_OR_RETURN(const MacAddress mac, parse_mac(nic.mac_address));
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        ASSIGN_OR_RETURN(const Link bridge, find_link(socket.get(), nic.bridge));
        ASSIGN_OR_RETURN(const Link request,
                         veth_request(nic, mac, netns_fd, rtnl_link_get_ifindex(bridge.get())));
        int rc = rtnl_link_add(socket.get(), request.get(), NLM_F_CREATE | NLM_F_EXCL);
        if (rc == -NLE_EXIST) {
            // An earlier start of this container left it, and the kernel has not removed it yet.
            RETURN_IF_ERROR(remove_link(socket.get(), name));
            rc = rtnl_link_add(socket.get(), request.get(), NLM_F_CREATE | NLM_F_EXCL);
        }
        RETURN_IF_ERROR(check_nl(rc, "make the veth pair", name));
        Status status = announce_card(socket.get(), announcer_, nic, mac);
        if (status) {
            status = make_port(socket.get(), index_of(name), name, mac);
        }
        if (status) {
            status = configure_inside(nic, netns_fd);
        }
        if (!status) {
            (void)remove_link(socket.get(), name); // the first error is returned
        }
        return status;
    }

    static Status mend_card(const Nic& nic) {
        const std::string name = nic.host_name();
        ASSIGN_OR_RETURN(const MacAddress mac, parse_mac(nic.mac_address));
        ASSIGN_OR_RETURN(const RouteSocket socket, open_route_socket());
        ASSIGN_OR_RETURN(const Link bridge, find_link(socket.get(), nic.bridge));
        const Result<Link> card = find_link(socket.get(), name);
        if (!card) {
            return is_absent(card.error()) ? fail(ErrorCode::not_found, "it is not there")
                                           : std::unexpected<Error>(card.error());
        }
        const int index = rtnl_link_get_ifindex(card->get());
        const int bridge_index = rtnl_link_get_ifindex(bridge.get());
        RETURN_IF_ERROR(enslave(socket.get(), index, bridge_index, name));
        return make_port(socket.get(), index, name, mac);
    }

    Announcer announcer_;
    std::mutex bridge_mutex_;
};

} // namespace

std::unique_ptr<LinkDriver> make_link_driver() {
    return std::make_unique<RouteLinkDriver>();
}

} // namespace lodge::network
