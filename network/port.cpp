#include "network/port.hpp"

#include "network/netlink.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string_view>

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

constexpr std::uint16_t kAllButPause = 0xfffd; // the kernel takes no other mask at a port

// The options of the port. The bridge learns no address from it and floods only broadcasts to it,
// because the bridge has a static entry for the one address behind it. It forwards frames to
// 01:80:c2:00:00:0x like others: a bridge hands frames that it does not forward to the host itself,
// past its prerouting hook and the firewall's rules.
Status put_port_options(nl_msg* message) {
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

// The static entry of the bridge's forwarding database for the container's frames; it goes with the
// port.
Status add_forwarding_entry(nl_sock* socket, int port, const MacAddress& behind) {
    Message message(nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE));
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = port;
    header.ndm_state = NUD_NOARP;
    header.ndm_flags = NTF_MASTER;
    if (message &&
        (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
         nla_put(message.get(), NDA_LLADDR, static_cast<int>(behind.size()), behind.data()) < 0)) {
        message.reset();
    }
    return send(socket, std::move(message), "tell the bridge the address of", "the card");
}

/// A card as the kernel describes it.
struct Port {
    std::string name;
    int master = 0;
    bool is_up = false;
    bool is_as_made = false; ///< its options
};

const nlattr* nested(const nlattr* nest, int type) {
    return nest == nullptr
               ? nullptr
               : nla_find(static_cast<const nlattr*>(nla_data(nest)), nla_len(nest), type);
}

bool is_as_made(const nlattr* info) {
    const nlattr* const data = nested(info, IFLA_INFO_SLAVE_DATA);
    const nlattr* const learning = nested(data, IFLA_BRPORT_LEARNING);
    const nlattr* const flood = nested(data, IFLA_BRPORT_UNICAST_FLOOD);
    const nlattr* const hairpin = nested(data, IFLA_BRPORT_MODE);
    const nlattr* const forwarded = nested(data, IFLA_BRPORT_GROUP_FWD_MASK);
    return learning != nullptr && flood != nullptr && hairpin != nullptr && forwarded != nullptr &&
           nla_get_u8(learning) == 0 && nla_get_u8(flood) == 0 &&
           nla_get_u8(hairpin) == BRIDGE_MODE_UNSPEC && nla_get_u16(forwarded) == kAllButPause;
}

// By hand: libnl-route reads a port's options only from dumps of the family AF_BRIDGE.
Result<std::map<int, Port>> read_ports(nl_sock* socket) {
    std::map<int, Port> ports;
    const auto visit = [&](nlmsghdr* message) {
        const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(message));
        const nlattr* const name = nlmsg_find_attr(message, sizeof *header, IFLA_IFNAME);
        if (name == nullptr || !model::begins_as_card_name(nla_get_string(name))) {
            return;
        }
        const nlattr* const master = nlmsg_find_attr(message, sizeof *header, IFLA_MASTER);
        ports[header->ifi_index] = {
            .name = nla_get_string(name),
            .master = master == nullptr ? 0 : static_cast<int>(nla_get_u32(master)),
            .is_up = (header->ifi_flags & IFF_UP) != 0,
            .is_as_made = is_as_made(nlmsg_find_attr(message, sizeof *header, IFLA_LINKINFO))};
    };
    ifinfomsg request{};
    request.ifi_family = AF_UNSPEC;
    RETURN_IF_ERROR(
        dump(socket, RTM_GETLINK, RTM_NEWLINK, std::as_bytes(std::span(&request, 1)), visit));
    return ports;
}

// The ports for whose address a bridge has a static entry.
Result<std::set<int>> read_known_ports(nl_sock* socket) {
    std::set<int> known;
    const auto visit = [&](nlmsghdr* message) {
        const auto* header = static_cast<const ndmsg*>(nlmsg_data(message));
        if ((header->ndm_state & NUD_NOARP) != 0 &&
            nlmsg_find_attr(message, sizeof *header, NDA_MASTER) != nullptr) {
            known.insert(header->ndm_ifindex);
        }
    };
    ifinfomsg request{}; // a dump of this family takes that header (rtnl_fdb_dump)
    request.ifi_family = AF_BRIDGE;
    RETURN_IF_ERROR(
        dump(socket, RTM_GETNEIGH, RTM_NEWNEIGH, std::as_bytes(std::span(&request, 1)), visit));
    return known;
}

std::string fault_of_card(const Port& port, int bridge, const std::string& name, bool is_known) {
    if (bridge == 0 || port.master != bridge) {
        return "is not in the bridge " + name;
    }
    if (!port.is_up) {
        return "is down";
    }
    if (!port.is_as_made) {
        return "has other options in the bridge than it was given";
    }
    return is_known ? "" : "has nothing behind it that the bridge knows";
}

} // namespace

Status enslave(nl_sock* socket, int port, int bridge, const std::string& name) {
    Message message = link_request(RTM_NEWLINK, 0, port);
    if (message &&
        nla_put_u32(message.get(), IFLA_MASTER, static_cast<std::uint32_t>(bridge)) < 0) {
        message.reset();
    }
    return send(socket, std::move(message), "put into its bridge the link", name);
}

Status make_port(nl_sock* socket, int port, const std::string& name, const MacAddress& behind) {
    RETURN_IF_ERROR(configure_port(socket, port, name));
    return add_forwarding_entry(socket, port, behind);
}

Result<std::vector<FoundCard>> find_cards(nl_sock* socket, const std::string& bridge) {
    const auto index = static_cast<int>(::if_nametoindex(bridge.c_str())); // 0: there is none
    ASSIGN_OR_RETURN(const auto ports, read_ports(socket));
    ASSIGN_OR_RETURN(const auto known, read_known_ports(socket));
    std::vector<FoundCard> cards;
    for (const auto& [link, port] : ports) {
        cards.push_back({port.name, fault_of_card(port, index, bridge, known.contains(link))});
    }
    return cards;
}

} // namespace lodge::network
