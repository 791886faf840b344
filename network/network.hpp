#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/base/uuid.hpp"
#include "lib/model/address.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
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
    std::string owner;                         ///< the lodged whose it is: its state directory
    std::vector<model::CidrAddress> addresses; ///< one per family
    unsigned mtu = 1500;
    /// What of the host containers may open connections to, beside ICMP: a resolver, by default.
    std::vector<HostService> host_services{{HostService::Transport::tcp, 53},
                                           {HostService::Transport::udp, 53}};
    /// That each address of a container may have at a time, of those the host tracks. An eighth of
    /// so many may be new in a second, after as many at once.
    std::uint32_t most_connections = 8192;
};

/// A container's network card as a value. The host's end is named from the container's UUID.
struct Nic {
    Uuid container;
    std::string bridge;
    std::string mac_address; ///< of the container's end, "02:00:00:aa:bb:cc"
    std::vector<model::CidrAddress> addresses;
    std::vector<model::IpAddress> gateways; ///< at most one per family
    unsigned mtu = 1500;

    /// "ve-" and twelve digits of the UUID: the whole of IFNAMSIZ.
    [[nodiscard]] std::string host_name() const { return "ve-" + container.short_hex(12); }
};

/// A link that is named as a container's card.
struct FoundCard {
    std::string name;
    std::string fault; ///< what reattach() would have to mend: "is down". Empty: nothing
};

/// Links and addresses of one network namespace: the one the daemon lives in. Thread-safe. Every
/// verb is idempotent.
class LinkDriver {
  public:
    LinkDriver() = default;
    LinkDriver(const LinkDriver&) = delete;
    LinkDriver& operator=(const LinkDriver&) = delete;
    virtual ~LinkDriver() = default;

    /// The bridge exists, is up and has exactly these addresses (others that we once gave are
    /// removed). already_exists: the name belongs to a link that Lodge did not make, another link
    /// of the host has a network that overlaps, or a bridge of another owner has ports.
    [[nodiscard]] virtual Status ensure_bridge(const BridgeSpec& bridge) = 0;
    /// Success when there is no such link; already_exists when Lodge did not make it.
    [[nodiscard]] virtual Status remove_bridge(const std::string& name) = 0;
    /// What ensure_bridge() would have to mend: "it is down". Empty: nothing. Costs the same
    /// whatever hangs on it.
    [[nodiscard]] virtual Result<std::string> bridge_fault(const BridgeSpec& bridge) = 0;
    /// Forwarding of both families is on, in this namespace and at the bridge. Links that take
    /// router advertisements go on doing so (accept_ra 2): the kernel would ignore them on a
    /// router, and the host would lose its own default route when the last one expires.
    [[nodiscard]] virtual Status ensure_forwarding(const std::string& bridge) = 0;
    /// What ensure_forwarding() would have to mend. Empty: nothing.
    [[nodiscard]] virtual Result<std::string> forwarding_fault(const std::string& bridge) = 0;
    /// Makes the veth pair, puts the host's end into the bridge and the other, as eth0 with
    /// address, routes and lo up, into the namespace `netns_fd`. The bridge knows the card's MAC
    /// address for good: it neither learns addresses from the card nor floods to it what is for
    /// others. Who remembers its addresses with another MAC address, the host or a neighbour on the
    /// bridge, is told. On failure nothing is left. Pre: admit() came before, as a card that the
    /// firewall does not know is not checked.
    [[nodiscard]] virtual Status attach(const Nic& nic, int netns_fd) = 0;
    /// The host's end of a card that is there is in the bridge again as attach() left it.
    /// not_found: there is no such card.
    [[nodiscard]] virtual Status reattach(const Nic& nic) = 0;
    /// Removes the host's end (and with it the pair). Its name is free on return; the kernel takes
    /// 15 to 35 ms more to forget the device.
    [[nodiscard]] virtual Status detach(const std::string& host_name) = 0;
    /// All links whose names begin as a card's does: the inventory of what we made.
    [[nodiscard]] virtual Result<std::vector<FoundCard>> cards(const std::string& bridge) = 0;
};
[[nodiscard]] std::unique_ptr<LinkDriver> make_link_driver();

/// One nftables table of ours ("lodge", families inet and bridge): masquerading to the uplink, what
/// may pass to and from containers, and anti-spoofing by sets keyed by interface. Rules do not grow
/// with containers: a container is a few elements, added and removed in one atomic netlink batch.
/// What somebody else removed or changed (`nft flush ruleset`) comes back, elements and all, with
/// the next admit(), expel() or ensure_tables(). Thread-safe, idempotent. Pre: one driver per
/// network namespace.
class FirewallDriver {
  public:
    FirewallDriver() = default;
    FirewallDriver(const FirewallDriver&) = delete;
    FirewallDriver& operator=(const FirewallDriver&) = delete;
    virtual ~FirewallDriver() = default;

    /// The tables with their chains, sets and rules exist exactly as this release makes them. Where
    /// they do not, they are replaced in one step; elements are kept where the layout is the same.
    [[nodiscard]] virtual Status ensure_tables(const BridgeSpec& bridge) = 0;
    /// What ensure_tables() would have to mend: "inet lodge is not there". Empty: nothing.
    [[nodiscard]] virtual Result<std::string> tables_fault(const BridgeSpec& bridge) = 0;
    [[nodiscard]] virtual Status remove_tables() = 0;
    /// Lets exactly this MAC address, these addresses and the link-local one of the MAC address
    /// pass in from the card, whatever was admitted before.
    [[nodiscard]] virtual Status admit(const Nic& nic) = 0;
    [[nodiscard]] virtual Status expel(const std::string& host_name) = 0;
    /// Interface names that have elements: the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> admitted() = 0;
    /// Those of `nics`, by host name, for which the kernel does not have exactly the elements that
    /// admit() gives them.
    [[nodiscard]] virtual Result<std::vector<std::string>>
    misadmitted(const std::vector<Nic>& nics) = 0;
};
[[nodiscard]] std::unique_ptr<FirewallDriver> make_firewall_driver();

/// Held until it is closed: this network namespace is one daemon's alone. busy when another has it.
/// Only who may change the firewall can claim it.
[[nodiscard]] Result<UniqueFd> claim_network();

/// Puts the one switch that the root of every network namespace may throw for the whole host, once
/// and for ever, where a tenant would put it: net.netfilter.nf_hooks_lwtunnel to 1, after which
/// the kernel refuses the way back. So packets in lightweight tunnels pass the firewall as others
/// do, and no container changes anything by it. A kernel without the switch is success. Pre: the
/// firewall's tables are there, which loads the module that has it.
[[nodiscard]] Status settle_shared_switches();

/// Whether a host may have `address` in this network: it is in it, and neither the network's own
/// (IPv6: the routers' anycast, RFC 4291) nor its broadcast. A network of one or two addresses has
/// neither. Pure. invalid_argument says which.
[[nodiscard]] Status check_host_address(const model::CidrAddress& pool,
                                        const model::IpAddress& address);
/// The first address of `pool` that a host may have and that is neither `gateway` nor in `used`
/// (sorted). Pure. resource_exhausted when there is none.
[[nodiscard]] Result<model::IpAddress> allocate_address(const model::CidrAddress& pool,
                                                        const model::IpAddress& gateway,
                                                        const std::vector<model::IpAddress>& used);
/// The locally administered MAC address derived from a container's UUID. Pure.
[[nodiscard]] std::string mac_address_of(const Uuid& container);

} // namespace lodge::network
