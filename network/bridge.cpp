#include "network/bridge.hpp"

#include "lib/kernel/fs.hpp"
#include "network/mac.hpp"
#include "network/netlink.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>

namespace lodge::network {

namespace {

// The alias that marks a bridge of ours, so that an operator's own bridge keeps its addresses. A
// blank and the owner follow it.
constexpr std::string_view kAlias = "lodge";

std::string alias_of(const BridgeSpec& bridge) {
    constexpr std::size_t kMostOfAnOwner = 240; // the kernel keeps 255 bytes (IFALIASZ)
    const std::string& owner = bridge.owner;
    const std::size_t cut = owner.size() > kMostOfAnOwner ? owner.size() - kMostOfAnOwner : 0;
    return owner.empty() ? std::string(kAlias) : std::string(kAlias) + " " + owner.substr(cut);
}

bool is_of_lodge(std::string_view alias) {
    return alias == kAlias || alias.starts_with(std::string(kAlias) + " ");
}

Status check_name(const std::string& name) {
    const bool usable = !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
                        std::none_of(
                            name.begin(),
                            name.end(),
                            [](char c) { return c == '/' || c == ':' || c <= ' ' || c > '~'; });
    if (!usable) {
        return fail(ErrorCode::invalid_argument,
                    "'" + name + "' is not a link name: 1 to 15 characters, no space, / or :");
    }
    return {};
}

// The links of this namespace, read once for the questions below.
struct Survey {
    struct Found {
        int index = 0;
        std::string name;
        std::string alias;
        MacAddress mac{};
        bool is_bridge = false;
        bool is_ours = false;
        bool is_up = false;
        bool has_carrier = false;
        bool has_ports = false;
    };
    std::optional<Found> bridge; ///< the link with the bridge's name
    std::vector<Found> of_lodge; ///< all bridges that a lodged made, that one included
    std::map<int, std::string> names;
    std::vector<LinkAddress> addresses;
};

Survey::Found found_link(rtnl_link* link) {
    const char* type = rtnl_link_get_type(link);
    const char* alias = rtnl_link_get_ifalias(link);
    Survey::Found found{.index = rtnl_link_get_ifindex(link),
                        .name = rtnl_link_get_name(link),
                        .alias = alias == nullptr ? "" : alias,
                        .is_bridge = type != nullptr && std::string_view(type) == "bridge",
                        .is_ours = alias != nullptr && is_of_lodge(alias),
                        .is_up = (rtnl_link_get_flags(link) & IFF_UP) != 0,
                        .has_carrier = (rtnl_link_get_flags(link) & IFF_RUNNING) != 0};
    const nl_addr* mac = rtnl_link_get_addr(link);
    if (mac != nullptr && nl_addr_get_len(mac) == found.mac.size()) {
        std::copy_n(static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(mac)),
                    found.mac.size(),
                    found.mac.begin());
    }
    return found;
}

Result<Survey> survey(nl_sock* socket, const std::string& name) {
    Survey result;
    std::set<int> masters;
    RETURN_IF_ERROR(for_each_link(socket, [&](rtnl_link* link) {
        Survey::Found found = found_link(link);
        result.names[found.index] = found.name;
        masters.insert(rtnl_link_get_master(link));
        if (found.is_bridge && found.is_ours) {
            result.of_lodge.push_back(found);
        }
        if (found.name == name) {
            result.bridge = std::move(found);
        }
    }));
    for (Survey::Found& bridge : result.of_lodge) {
        bridge.has_ports = masters.contains(bridge.index);
    }
    if (result.bridge) {
        result.bridge->has_ports = masters.contains(result.bridge->index);
    }
    ASSIGN_OR_RETURN(result.addresses, list_addresses(socket));
    return result;
}

// Containers run there, of a lodged that may be down now: to us its cards would look unclaimed.
Status check_alone(const Survey& links, const BridgeSpec& bridge) {
    for (const Survey::Found& other : links.of_lodge) {
        const bool has_owner = !bridge.owner.empty() && other.alias != kAlias;
        if (has_owner && other.has_ports && other.alias != alias_of(bridge)) {
            return fail(ErrorCode::already_exists,
                        "containers of another lodged run in this network namespace, on the "
                        "bridge '" +
                            other.name + "'; its state directory is " +
                            other.alias.substr(kAlias.size() + 1) +
                            ". Stop them, or run this one in a network namespace of its own");
        }
    }
    return {};
}

Status check_ours(const Survey& links, const std::string& name) {
    if (!links.bridge || links.bridge->is_ours) {
        return {};
    }
    const std::string ending = "; set network.bridge to a name that is free";
    if (!links.bridge->is_bridge) {
        return fail(ErrorCode::already_exists,
                    "the link '" + name + "' exists and is not a bridge" + ending);
    }
    const bool has_address = std::any_of(
        links.addresses.begin(), links.addresses.end(), [&](const LinkAddress& address) {
            return address.link == links.bridge->index && !address.link_local;
        });
    // A bridge without an alias is one that a killed daemon made and had not named yet.
    if (links.bridge->has_ports || has_address) {
        return fail(ErrorCode::already_exists,
                    "the bridge '" + name + "' exists and was not made by Lodge" + ending);
    }
    return {};
}

Status check_overlap(const Survey& links, const BridgeSpec& bridge) {
    for (const LinkAddress& other : links.addresses) {
        if (other.link_local || (links.bridge && other.link == links.bridge->index)) {
            continue;
        }
        for (const model::CidrAddress& own : bridge.addresses) {
            if (own.contains(other.address.address) || other.address.contains(own.address)) {
                const auto name = links.names.find(other.link);
                return fail(ErrorCode::already_exists,
                            "the network of " + own.to_string() + " overlaps " +
                                other.address.to_string() + " of the link '" +
                                (name == links.names.end() ? "?" : name->second) +
                                "'; give network.pools a network that is free");
            }
        }
    }
    return {};
}

// The same in the whole boot, because neighbours remember it when somebody removed the bridge and
// it is made again. Different on every host, because an operator may join the bridges of two.
Result<MacAddress> mac_of(const BridgeSpec& bridge) {
    constexpr std::size_t kMostOfAnId = 64;
    ASSIGN_OR_RETURN(const std::string boot,
                     kernel::read_file("/proc/sys/kernel/random/boot_id", kMostOfAnId));
    std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a: spreads a random id, protects nothing
    for (const char byte : boot + alias_of(bridge) + " " + bridge.name) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
    MacAddress mac{};
    std::memcpy(mac.data(), &hash, mac.size());
    mac[0] = static_cast<std::uint8_t>((mac[0] & 0xfc) | 2); // locally administered, unicast
    return mac;
}

// A MAC address that was set stays. Without it the bridge takes the lowest address of its ports and
// changes it as containers come and go, and their neighbour caches become wrong. Multicast snooping
// is off, so that no tenant can become the querier and decide who gets which group.
Status put_bridge(nl_msg* message, const BridgeSpec& bridge, const MacAddress& mac) {
    (void)nla_put_string(message, IFLA_IFNAME, bridge.name.c_str()); // all fit, or the last fails
    (void)nla_put_u32(message, IFLA_MTU, bridge.mtu);
    (void)nla_put(message, IFLA_ADDRESS, static_cast<int>(mac.size()), mac.data());
    nlattr* const info = nla_nest_start(message, IFLA_LINKINFO);
    (void)nla_put_string(message, IFLA_INFO_KIND, "bridge");
    nlattr* const data = nla_nest_start(message, IFLA_INFO_DATA);
    (void)nla_put_u32(message, IFLA_BR_STP_STATE, 0);
    (void)nla_put_u32(message, IFLA_BR_FORWARD_DELAY, 0);
    const int rc = nla_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
    if (rc != 0 || info == nullptr || data == nullptr) {
        return fail(ErrorCode::resource_exhausted, "no memory for a link request");
    }
    nla_nest_end(message, data);
    nla_nest_end(message, info);
    return {};
}

Status make_or_change(nl_sock* socket, const BridgeSpec& bridge, const Survey& links) {
    MacAddress mac{};
    if (links.bridge) {
        mac = links.bridge->mac;
    } else {
        ASSIGN_OR_RETURN(mac, mac_of(bridge));
    }
    const int index = links.bridge ? links.bridge->index : 0;
    const int flags = links.bridge ? 0 : NLM_F_CREATE | NLM_F_EXCL;
    Message message = link_request(RTM_NEWLINK, flags, index);
    if (!message) {
        return fail(ErrorCode::resource_exhausted, "no memory for a link request");
    }
    RETURN_IF_ERROR(put_bridge(message.get(), bridge, mac));
    return send(socket, std::move(message), "make the link", bridge.name);
}

// The kernel takes an alias only for a link that exists.
Status mark_as_ours(nl_sock* socket, int index, const BridgeSpec& bridge) {
    Message message = link_request(RTM_NEWLINK, 0, index);
    if (message && nla_put_string(message.get(), IFLA_IFALIAS, alias_of(bridge).c_str()) < 0) {
        message.reset();
    }
    return send(socket, std::move(message), "name the owner of the link", bridge.name);
}

// No other host has the gateway's addresses, so duplicate address detection is off, for the
// link-local one too. The host takes no router advertisements from here.
Status set_ipv6_options(const std::string& name) {
    if (!has_ipv6()) {
        return {};
    }
    for (const char* option : {"accept_dad", "accept_ra"}) {
        const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/" + option;
        RETURN_IF_ERROR(kernel::write_control(AT_FDCWD, path, "0"));
    }
    return {};
}

bool has_address(const std::vector<LinkAddress>& addresses,
                 int index,
                 const std::function<bool(const LinkAddress&)>& wanted) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const LinkAddress& address) {
        return address.link == index && wanted(address);
    });
}

// The kernel asks for neighbours with it, for all senders whose packets come this way.
bool needs_link_local(const BridgeSpec& bridge) {
    return std::any_of(bridge.addresses.begin(), bridge.addresses.end(), [](const auto& address) {
        return !address.address.is_v4();
    });
}

bool is_v6_link_local(const LinkAddress& address) {
    return address.link_local && !address.address.address.is_v4();
}

Status set_addresses(nl_sock* socket, int index, const BridgeSpec& bridge, const Survey& links) {
    const auto wanted = [&](const model::CidrAddress& address) {
        return std::find(bridge.addresses.begin(), bridge.addresses.end(), address) !=
               bridge.addresses.end();
    };
    for (const LinkAddress& address : links.addresses) {
        if (address.link == index && !address.link_local && !wanted(address.address)) {
            RETURN_IF_ERROR(remove_address(socket, address));
        }
    }
    for (const model::CidrAddress& address : bridge.addresses) {
        RETURN_IF_ERROR(add_address(socket, index, address));
    }
    // The kernel makes it when a link gets its carrier, and not again when somebody removes it.
    const bool lost = links.bridge && links.bridge->has_carrier && needs_link_local(bridge) &&
                      !has_address(links.addresses, index, is_v6_link_local);
    constexpr unsigned kLinkLocalPrefix = 64;
    return lost ? add_address(socket, index, {link_local_of(links.bridge->mac), kLinkLocalPrefix})
                : Status{};
}

} // namespace

Status ensure_bridge(nl_sock* socket, const BridgeSpec& bridge) {
    RETURN_IF_ERROR(check_name(bridge.name));
    ASSIGN_OR_RETURN(const Survey links, survey(socket, bridge.name));
    RETURN_IF_ERROR(check_ours(links, bridge.name));
    RETURN_IF_ERROR(check_alone(links, bridge));
    RETURN_IF_ERROR(check_overlap(links, bridge));
    RETURN_IF_ERROR(make_or_change(socket, bridge, links));
    ASSIGN_OR_RETURN(const Link link, find_link(socket, bridge.name));
    const int index = rtnl_link_get_ifindex(link.get());
    RETURN_IF_ERROR(mark_as_ours(socket, index, bridge));
    RETURN_IF_ERROR(set_ipv6_options(bridge.name));
    RETURN_IF_ERROR(set_addresses(socket, index, bridge, links));
    return set_up(socket, index, bridge.name);
}

Result<std::string> bridge_fault(nl_sock* socket, const BridgeSpec& bridge) {
    const Result<Link> link = find_link(socket, bridge.name);
    if (!link) {
        return is_absent(link.error()) ? Result<std::string>("it is not there")
                                       : std::unexpected<Error>(link.error());
    }
    const Survey::Found found = found_link(link->get());
    if (!found.is_bridge || !found.is_ours) {
        return "it is not the one that lodged made";
    }
    if (!found.is_up) {
        return "it is down";
    }
    ASSIGN_OR_RETURN(const auto addresses, list_addresses(socket));
    for (const model::CidrAddress& wanted : bridge.addresses) {
        if (!has_address(addresses, found.index, [&](const LinkAddress& address) {
                return address.address == wanted;
            })) {
            return "it lacks the address " + wanted.to_string();
        }
    }
    if (found.has_carrier && needs_link_local(bridge) &&
        !has_address(addresses, found.index, is_v6_link_local)) {
        return "it lacks its link-local address";
    }
    return "";
}

Status remove_bridge(nl_sock* socket, const std::string& name) {
    ASSIGN_OR_RETURN(const Survey links, survey(socket, name));
    if (!links.bridge) {
        return {};
    }
    if (!links.bridge->is_ours) {
        return fail(ErrorCode::already_exists,
                    "the link '" + name + "' was not made by Lodge and stays");
    }
    return remove_link(socket, name);
}

} // namespace lodge::network
