#include "network/firewall_fields.hpp"
#include "network/firewall_layout.hpp"
#include "network/nft_rule.hpp"

#include <cstdint>

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace lodge::network {

namespace {

constexpr const char* kFromContainer = "from-container";
constexpr const char* kPorts = "ports"; ///< interface: the cards of containers
constexpr const char* kMacs = "macs";   ///< interface . source MAC
constexpr const char* kV4 = "v4";       ///< interface . source IPv4
constexpr const char* kV6 = "v6";       ///< interface . source IPv6

// NF_BR_PRE_ROUTING; its header linux/netfilter_bridge.h does not compile on its own as C++.
constexpr std::uint32_t kBridgePrerouting = 0;
constexpr unsigned kAfterInterface = 4; ///< 32-bit registers that an interface name fills

constexpr std::uint8_t kRouterAdvertisement = 134;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::uint8_t kNeighbourAdvertisement = 136;
constexpr std::uint8_t kRedirect = 137;
constexpr std::uint32_t kNeighbourTarget = 8; ///< in the ICMPv6 header
const std::vector<std::uint8_t> kUnspecified(16, 0);

// A rule that first compares the frame's EtherType.
RuleBuilder of_type(std::uint16_t ether_type) {
    RuleBuilder rule;
    rule.load_ether_type(0).equals(0, big_endian(ether_type));
    return rule;
}

// ... and then holds the key interface . source of the packet.
RuleBuilder source_of(std::uint16_t ether_type, std::uint32_t offset, std::uint32_t bytes) {
    RuleBuilder rule = of_type(ether_type);
    rule.load_in_interface(0).load_payload(
        NFT_PAYLOAD_NETWORK_HEADER, offset, bytes, kAfterInterface);
    return rule;
}

RuleBuilder udp_from(std::uint16_t ether_type, std::uint16_t port) {
    RuleBuilder rule = of_type(ether_type);
    rule.load_transport_protocol(0).equals(0, {IPPROTO_UDP});
    rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 0).equals(0, big_endian(port));
    return rule;
}

RuleBuilder icmpv6_of_type(std::uint8_t type) {
    RuleBuilder rule = of_type(ETH_P_IPV6);
    rule.load_transport_protocol(0).equals(0, {IPPROTO_ICMPV6});
    rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0).equals(0, {type});
    return rule;
}

RuleBuilder& key_target(RuleBuilder& rule) {
    return rule.load_in_interface(0).load_payload(
        NFT_PAYLOAD_TRANSPORT_HEADER, kNeighbourTarget, 16, kAfterInterface);
}

// IPv6 claims an address in more ways than by a packet's source.
void add_ipv6_rules(TableLayout& layout) {
    const auto add = [&](NftRule rule) {
        layout.rules.emplace_back(kFromContainer, std::move(rule));
    };
    add(icmpv6_of_type(kRouterAdvertisement).count().comment("containers are no routers").drop());
    add(icmpv6_of_type(kRedirect).count().comment("containers are no routers").drop());
    RuleBuilder advertised = icmpv6_of_type(kNeighbourAdvertisement);
    add(key_target(advertised)
            .not_in_set(kV6)
            .count()
            .comment("neighbour advertisement for a foreign address")
            .drop());
    RuleBuilder probed = icmpv6_of_type(kNeighbourSolicitation);
    probed.load_payload(NFT_PAYLOAD_NETWORK_HEADER, kIpv6Source, 16, 0).equals(0, kUnspecified);
    add(key_target(probed)
            .not_in_set(kV6)
            .count()
            .comment("duplicate address detection for a foreign address")
            .drop());
    constexpr std::uint16_t kDhcpv6Server = 547;
    add(udp_from(ETH_P_IPV6, kDhcpv6Server).count().comment("DHCPv6 server").drop());
    add(source_of(ETH_P_IPV6, kIpv6Source, 16).in_set(kV6).accept());
    // Duplicate address detection and multicast listener reports come from the unspecified address.
    RuleBuilder unspecified = of_type(ETH_P_IPV6);
    unspecified.load_transport_protocol(0).equals(0, {IPPROTO_ICMPV6});
    unspecified.load_payload(NFT_PAYLOAD_NETWORK_HEADER, kIpv6Source, 16, 0)
        .equals(0, kUnspecified);
    add(unspecified.accept());
}

// The rules for a frame that came from a container's card. Constant in number.
void add_spoofing_rules(TableLayout& layout) {
    constexpr std::uint32_t kEtherTypeOffset = 12;
    constexpr std::uint32_t kArpSenderMac = 8;
    constexpr std::uint32_t kArpSender = 14;
    constexpr std::uint16_t kDhcpServer = 67;
    const auto add = [&](NftRule rule) {
        layout.rules.emplace_back(kFromContainer, std::move(rule));
    };

    RuleBuilder mac;
    mac.load_in_interface(0).load_payload(
        NFT_PAYLOAD_LL_HEADER, ETH_ALEN, ETH_ALEN, kAfterInterface);
    add(mac.not_in_set(kMacs).count().comment("foreign MAC address").drop());
    // The kernel takes a VLAN tag off before it looks further, and the frame would leave with it.
    for (const int tag : {ETH_P_8021Q, ETH_P_8021AD}) {
        RuleBuilder tagged;
        tagged.load_payload(NFT_PAYLOAD_LL_HEADER, kEtherTypeOffset, 2, 0)
            .equals(0, big_endian(static_cast<std::uint16_t>(tag)));
        add(tagged.count().comment("VLAN tag").drop());
    }

    add(source_of(ETH_P_ARP, kArpSenderMac, ETH_ALEN)
            .not_in_set(kMacs)
            .count()
            .comment("ARP with a foreign MAC address")
            .drop());
    RuleBuilder arp = of_type(ETH_P_ARP);
    arp.load_payload(NFT_PAYLOAD_NETWORK_HEADER, 0, 6, 0).equals(0, {0, 1, 8, 0, ETH_ALEN, 4});
    arp.load_in_interface(0).load_payload(
        NFT_PAYLOAD_NETWORK_HEADER, kArpSender, 4, kAfterInterface);
    add(arp.in_set(kV4).accept());
    add(udp_from(ETH_P_IP, kDhcpServer).count().comment("DHCP server").drop());
    add(source_of(ETH_P_IP, kIpv4Source, 4).in_set(kV4).accept());
    add_ipv6_rules(layout);
    add(RuleBuilder().count().comment("foreign source, or neither IP nor ARP").drop());
}

} // namespace

const std::array<NftSet, std::tuple_size_v<PortElements>> kPortSets{
    {{kPorts, kTypeInterface, 16},
     {kMacs, pair_of(kTypeInterface, kTypeEther), 24},
     {kV4, pair_of(kTypeInterface, kTypeIpv4), 20},
     {kV6, pair_of(kTypeInterface, kTypeIpv6), 32}}};

TableLayout bridge_layout() {
    constexpr std::int32_t kBeforeAll = -300;
    TableLayout layout;
    layout.table = {.family = NFPROTO_BRIDGE, .name = kFirewallTable};
    layout.sets.assign(kPortSets.begin(), kPortSets.end());
    layout.chains = {{.name = kFromContainer},
                     {.name = "prerouting",
                      .type = "filter",
                      .hook = kBridgePrerouting,
                      .priority = kBeforeAll}};
    RuleBuilder from_port;
    layout.rules.emplace_back("prerouting",
                              from_port.load_in_interface(0).in_set(kPorts).go_to(kFromContainer));
    add_spoofing_rules(layout);
    layout.table.comment = layout_comment(layout);
    return layout;
}

} // namespace lodge::network
