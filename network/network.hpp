#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/base/uuid.hpp"
#include "lib/model/address.hpp"
#include "lib/model/object_names.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lodge::network {

/// A port of the host itself.
struct HostService {
    enum class Transport : std::uint8_t { tcp = 6, udp = 17 };
    Transport transport = Transport::tcp;
    std::uint16_t port = 0;
    auto operator<=>(const HostService&) const = default;
};

/// The managed bridge. Its addresses are the containers' gateways.
struct BridgeSpec {
    std::string name = "lodge0";               ///< at most 15 characters
    std::string owner;                         ///< state directory of the lodged that owns it
    std::vector<model::CidrAddress> addresses; ///< one per family
    unsigned mtu = 1500;
    /// Ports of the host that containers may connect to, beside ICMP: by default a resolver.
    std::vector<HostService> host_services{{HostService::Transport::tcp, 53},
                                           {HostService::Transport::udp, 53}};
    /// Connections that each address of a container may have at a time, of those that the host
    /// tracks. An eighth of that number may be new in a second, after as many at once.
    std::uint32_t most_connections = 8192;
};

/// A container's network card as a value.
struct Nic {
    Uuid uuid; ///< of the card; the name of the host's end derives from it
    std::string bridge;
    std::string mac_address; ///< of the container's end, "02:00:00:aa:bb:cc"
    std::vector<model::CidrAddress> addresses;
    std::vector<model::IpAddress> gateways; ///< at most one per family
    unsigned mtu = 1500;

    std::string name = "eth0"; ///< of the container's end

    /// The name of the host's end.
    [[nodiscard]] std::string host_name() const { return model::card_name(uuid); }
};

/// Where a card ends: in the network namespace of those who use it. The descriptor is lent for the
/// call.
struct InNamespace {
    int fd = -1;
};
using CardEnd = std::variant<InNamespace>;

/// A link with the name of a container's card.
struct FoundCard {
    std::string name;
    std::string fault; ///< fault that reattach() mends: "is down". Empty: none
};

/// Links and addresses of the daemon's network namespace. Thread-safe. Every verb is idempotent.
class LinkDriver {
  public:
    LinkDriver() = default;
    LinkDriver(const LinkDriver&) = delete;
    LinkDriver& operator=(const LinkDriver&) = delete;
    virtual ~LinkDriver() = default;

    /// Makes the bridge exist, be up and have exactly these addresses; it removes others that an
    /// earlier call gave. already_exists: the name belongs to a link that Lodge did not make,
    /// another link of the host has an overlapping network, or a bridge of another owner has ports.
    [[nodiscard]] virtual Status ensure_bridge(const BridgeSpec& bridge) = 0;
    /// Success when there is no such link; already_exists when Lodge did not make it.
    [[nodiscard]] virtual Status remove_bridge(const std::string& name) = 0;
    /// The fault that ensure_bridge() would mend: "it is down". Empty: none. Its time does not
    /// depend on the number of ports.
    [[nodiscard]] virtual Result<std::string> bridge_fault(const BridgeSpec& bridge) = 0;
    /// Turns forwarding of both families on, in this namespace and at the bridge. Links that take
    /// router advertisements keep taking them (accept_ra 2): on a router the kernel would ignore
    /// them, and the host would lose its own default route when the last one expires.
    [[nodiscard]] virtual Status ensure_forwarding(const std::string& bridge) = 0;
    /// The fault that ensure_forwarding() would mend. Empty: none.
    [[nodiscard]] virtual Result<std::string> forwarding_fault(const std::string& bridge) = 0;
    /// Makes the veth pair. Puts the host's end into the bridge, and the other end, as `nic.name`
    /// with address, routes and lo up, to its end. The bridge gets the card's MAC address as a
    /// static entry: it neither learns addresses from the card nor floods others' frames to it. The
    /// call announces the new MAC address to the host and to the neighbours on the bridge. On
    /// failure nothing is left. Pre: admit() came before, because the firewall does not check a
    /// card that it does not know.
    [[nodiscard]] virtual Status attach(const Nic& nic, const CardEnd& end) = 0;
    /// Puts the host's end of an existing card back into the bridge, as attach() left it.
    /// not_found: there is no such card.
    [[nodiscard]] virtual Status reattach(const Nic& nic) = 0;
    /// Removes the host's end and with it the pair. On return its name is free; the kernel takes 15
    /// to 35 ms more to forget the device.
    [[nodiscard]] virtual Status detach(const std::string& host_name) = 0;
    /// All links whose names begin as a card's does, for the inventory.
    [[nodiscard]] virtual Result<std::vector<FoundCard>> cards(const std::string& bridge) = 0;
};
[[nodiscard]] std::unique_ptr<LinkDriver> make_link_driver();

/// The nftables tables "lodge" of the families inet and bridge: masquerading to the uplink, filters
/// to and from containers, and anti-spoofing by sets keyed by interface. The number of rules does
/// not grow with containers: a container is a few elements, added and removed in one atomic netlink
/// batch. The next admit(), expel() or ensure_tables() restores whatever somebody else removed or
/// changed (`nft flush ruleset`), elements included. Thread-safe, idempotent. Pre: one driver per
/// network namespace.
class FirewallDriver {
  public:
    FirewallDriver() = default;
    FirewallDriver(const FirewallDriver&) = delete;
    FirewallDriver& operator=(const FirewallDriver&) = delete;
    virtual ~FirewallDriver() = default;

    /// Makes the tables exist with exactly the chains, sets and rules of this release. It replaces
    /// different ones in one step and keeps the elements where the layout is the same.
    [[nodiscard]] virtual Status ensure_tables(const BridgeSpec& bridge) = 0;
    /// The fault that ensure_tables() would mend: "inet lodge is not there". Empty: none.
    [[nodiscard]] virtual Result<std::string> tables_fault(const BridgeSpec& bridge) = 0;
    [[nodiscard]] virtual Status remove_tables() = 0;
    /// Lets frames with exactly this MAC address, these addresses and the MAC address's link-local
    /// one pass in from the card, and replaces whatever was admitted before.
    [[nodiscard]] virtual Status admit(const Nic& nic) = 0;
    [[nodiscard]] virtual Status expel(const std::string& host_name) = 0;
    /// Interface names that have elements, for the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> admitted() = 0;
    /// The host names of those `nics` whose elements in the kernel are not exactly those that
    /// admit() makes.
    [[nodiscard]] virtual Result<std::vector<std::string>>
    misadmitted(const std::vector<Nic>& nics) = 0;
};
[[nodiscard]] std::unique_ptr<FirewallDriver> make_firewall_driver();

/// Claims this network namespace for one daemon, until the descriptor is closed. busy when another
/// daemon has it. The claim needs the privilege to change the firewall.
[[nodiscard]] Result<UniqueFd> claim_network();

/// Sets net.netfilter.nf_hooks_lwtunnel to 1. The root of every network namespace may set it, for
/// the whole host, and the kernel then refuses to set it back. With it on, packets in lightweight
/// tunnels pass the firewall as others do, and no container changes anything by setting it. A
/// kernel without the switch: success. Pre: the firewall's tables exist, which loads the module
/// that has the switch.
[[nodiscard]] Status settle_shared_switches();

/// Whether a host may have `address` in this network: the network contains it, and it is neither
/// the network's own address (IPv6: the routers' anycast, RFC 4291) nor its broadcast. A network of
/// one or two addresses has neither. Pure. invalid_argument says which.
[[nodiscard]] Status check_host_address(const model::CidrAddress& pool,
                                        const model::IpAddress& address);
/// The first address of `pool` that a host may have and that is neither `gateway` nor in `used`
/// (sorted). Pure. resource_exhausted when there is none.
[[nodiscard]] Result<model::IpAddress> allocate_address(const model::CidrAddress& pool,
                                                        const model::IpAddress& gateway,
                                                        const std::vector<model::IpAddress>& used);
/// The locally administered MAC address derived from a card's UUID. Pure.
[[nodiscard]] std::string mac_address_of(const Uuid& card);

} // namespace lodge::network
