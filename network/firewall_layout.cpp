#include "network/firewall_layout.hpp"

#include "network/nft_rule.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

namespace lodge::network {

namespace {

constexpr const char* kTable = "lodge";
constexpr const char* kFromContainer = "from-container";
constexpr const char* kToHost = "from-container-to-host";
constexpr const char* kPorts = "ports";                ///< interface: the cards of containers
constexpr const char* kMacs = "macs";                  ///< interface . source MAC
constexpr const char* kV4 = "v4";                      ///< interface . source IPv4
constexpr const char* kV6 = "v6";                      ///< interface . source IPv6
constexpr const char* kHostServices = "host-services"; ///< transport protocol . port

// nft's own numbers of the types, six bits each in a concatenation, so that `nft list` reads well.
constexpr std::uint32_t kTypeIpv4 = 7;
constexpr std::uint32_t kTypeIpv6 = 8;
constexpr std::uint32_t kTypeEther = 9;
constexpr std::uint32_t kTypeProtocol = 12;
constexpr std::uint32_t kTypePort = 13;
constexpr std::uint32_t kTypeInterface = 41;
constexpr std::uint32_t pair_of(std::uint32_t first, std::uint32_t second) {
    return (first << 6) | second;
}

// NF_BR_PRE_ROUTING; its header linux/netfilter_bridge.h does not compile on its own as C++.
constexpr std::uint32_t kBridgePrerouting = 0;
constexpr unsigned kAfterInterface = 4; ///< 32-bit registers that an interface name fills

constexpr std::uint8_t kRouterAdvertisement = 134;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::uint8_t kNeighbourAdvertisement = 136;
constexpr std::uint8_t kRedirect = 137;
constexpr std::uint32_t kIpv4Source = 12;
constexpr std::uint32_t kIpv4Destination = 16;
constexpr std::uint32_t kIpv6Destination = 24;
constexpr std::uint32_t kIpv6Source = 8;
constexpr std::uint32_t kNeighbourTarget = 8; ///< in the ICMPv6 header
const std::vector<std::uint8_t> kUnspecified(16, 0);

std::vector<std::uint8_t> big_endian(std::uint16_t value) {
    return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 0xff)};
}

// Registers that hold numbers of the kernel are in host order.
std::vector<std::uint8_t> host_order(std::uint32_t value) {
    std::vector<std::uint8_t> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

// A rule that has looked at the frame's EtherType first.
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

// IPv6 speaks for an address in more ways than by a packet's source.
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

std::vector<std::uint8_t> network_bytes(const model::CidrAddress& cidr) {
    const auto network = cidr.network();
    return {network.bytes().begin(), network.bytes().begin() + cidr.address.bits() / 8};
}

std::vector<std::uint8_t> mask_bytes(const model::CidrAddress& cidr) {
    std::vector<std::uint8_t> mask(cidr.address.bits() / 8, 0);
    for (unsigned bit = 0; bit < cidr.prefix; ++bit) {
        mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | (0x80 >> (bit % 8)));
    }
    return mask;
}

RuleBuilder of_family(const model::IpAddress& address) {
    RuleBuilder rule;
    rule.load_ip_protocol_version(0).equals(
        0, {static_cast<std::uint8_t>(address.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6)});
    return rule;
}

// What leaves the bridge's network by another interface takes that interface's address.
NftRule masquerade_rule(const model::CidrAddress& cidr, const std::string& bridge) {
    const std::uint32_t source = cidr.address.is_v4() ? kIpv4Source : kIpv6Source;
    RuleBuilder rule = of_family(cidr.address);
    rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, source, cidr.address.bits() / 8, 0)
        .mask(0, mask_bytes(cidr))
        .equals(0, network_bytes(cidr));
    rule.load_out_interface(0).differs(0, interface_key(bridge));
    return rule.masquerade();
}

constexpr std::uint32_t state_bit(std::uint32_t state) {
    return 1U << (state + 1); // NF_CT_STATE_BIT
}
const std::uint32_t kKnownConnection = state_bit(IP_CT_ESTABLISHED) | state_bit(IP_CT_RELATED);

// Where clouds keep the credentials of their hosts: all of IPv4's link-local, of which most use one
// address, then Azure, Alibaba, Oracle; Amazon and Google over IPv6.
constexpr std::array kMetadata{"169.254.0.0/16",
                               "168.63.129.16/32",
                               "100.100.100.200/32",
                               "192.0.0.192/32",
                               "fd00:ec2::254/128",
                               "fd20:ce::254/128"};

// Some of these answer DNS too, and are the nameservers that containers get from their host.
NftRule metadata_rule(const model::CidrAddress& place, const std::string& bridge) {
    constexpr std::uint32_t kDestinationPort = 2;
    constexpr std::uint16_t kDns = 53;
    const std::uint32_t destination = place.address.is_v4() ? kIpv4Destination : kIpv6Destination;
    RuleBuilder rule = of_family(place.address);
    rule.load_in_interface(0).equals(0, interface_key(bridge));
    rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, destination, place.address.bits() / 8, 0)
        .mask(0, mask_bytes(place))
        .equals(0, network_bytes(place));
    rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, kDestinationPort, 2, 0)
        .differs(0, big_endian(kDns));
    return rule.count().comment("metadata of clouds: " + place.to_string()).drop();
}

void add_forward_rules(TableLayout& layout, const std::string& bridge) {
    for (const char* place : kMetadata) {
        layout.rules.emplace_back("forward",
                                  metadata_rule(*model::CidrAddress::parse(place), bridge));
    }
    RuleBuilder from_outside;
    from_outside.load_in_interface(0).differs(0, interface_key(bridge));
    from_outside.load_out_interface(0).equals(0, interface_key(bridge));
    from_outside.load_connection_state(0)
        .mask(0, host_order(kKnownConnection))
        .equals(0, host_order(0));
    from_outside.load_connection_status(0)
        .mask(0, host_order(IPS_DST_NAT))
        .equals(0, host_order(0));
    layout.rules.emplace_back(
        "forward",
        from_outside.count().comment("new from outside, unless the operator maps a port").drop());
}

void add_host_rules(TableLayout& layout, const std::string& bridge) {
    constexpr std::uint32_t kDestinationPort = 2;
    RuleBuilder from_bridge;
    from_bridge.load_in_interface(0).equals(0, interface_key(bridge));
    layout.rules.emplace_back("input", from_bridge.go_to(kToHost));

    RuleBuilder known;
    known.load_connection_state(0).mask(0, host_order(kKnownConnection)).differs(0, host_order(0));
    layout.rules.emplace_back(kToHost, known.accept());
    for (const int protocol : {int{IPPROTO_ICMP}, int{IPPROTO_ICMPV6}}) {
        RuleBuilder icmp;
        icmp.load_transport_protocol(0).equals(0, {static_cast<std::uint8_t>(protocol)});
        layout.rules.emplace_back(kToHost, icmp.accept());
    }
    RuleBuilder service;
    service.load_transport_protocol(0).load_payload(
        NFT_PAYLOAD_TRANSPORT_HEADER, kDestinationPort, 2, 1);
    layout.rules.emplace_back(kToHost, service.in_set(kHostServices).accept());
    layout.rules.emplace_back(kToHost,
                              RuleBuilder().count().comment("other services of the host").reject());
}

std::vector<NftKey> service_keys(const std::vector<HostService>& services) {
    std::vector<NftKey> keys;
    for (const HostService& service : services) {
        const auto port = big_endian(service.port);
        keys.push_back(
            {static_cast<std::uint8_t>(service.transport), 0, 0, 0, port[0], port[1], 0, 0});
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
}

void write_contents(NftBatch& batch, const TableLayout& layout) {
    for (const NftSet& set : layout.sets) {
        batch.add_set(layout.table, set);
    }
    for (const NftChain& chain : layout.chains) {
        batch.add_chain(layout.table, chain);
    }
    for (const auto& [chain, rule] : layout.rules) {
        batch.add_rule(layout.table, chain, rule);
    }
    for (const auto& [set, keys] : layout.elements) {
        batch.add_elements(layout.table, set, keys);
    }
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
    layout.table = {.family = NFPROTO_BRIDGE, .name = kTable};
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

TableLayout inet_layout(const BridgeSpec& bridge) {
    constexpr std::int32_t kFilter = 0;      // NF_IP_PRI_FILTER
    constexpr std::int32_t kSourceNat = 100; // NF_IP_PRI_NAT_SRC
    TableLayout layout;
    layout.table = {.family = NFPROTO_INET, .name = kTable};
    layout.sets = {{kHostServices, pair_of(kTypeProtocol, kTypePort), 8}};
    layout.chains = {
        {.name = kToHost},
        {.name = "input", .type = "filter", .hook = NF_INET_LOCAL_IN, .priority = kFilter},
        {.name = "forward", .type = "filter", .hook = NF_INET_FORWARD, .priority = kFilter},
        {.name = "postrouting",
         .type = "nat",
         .hook = NF_INET_POST_ROUTING,
         .priority = kSourceNat}};
    add_host_rules(layout, bridge.name);
    add_forward_rules(layout, bridge.name);
    for (const model::CidrAddress& network : bridge.addresses) {
        layout.rules.emplace_back("postrouting", masquerade_rule(network, bridge.name));
    }
    layout.elements.emplace_back(kHostServices, service_keys(bridge.host_services));
    layout.table.comment = layout_comment(layout);
    return layout;
}

void remove_layout(NftBatch& batch, const TableLayout& layout) {
    // Added first, so that deleting it cannot fail for its absence.
    batch.add_table({.family = layout.table.family, .name = layout.table.name});
    batch.delete_table(layout.table);
}

void write_layout(NftBatch& batch, const TableLayout& layout) {
    remove_layout(batch, layout);
    batch.add_table(layout.table);
    write_contents(batch, layout);
}

std::string layout_comment(const TableLayout& layout) {
    NftBatch batch;
    write_contents(batch, layout);
    std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a: tells layouts apart, protects nothing
    for (const char byte : batch.bytes()) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
    std::array<char, 64> text{};
    (void)std::snprintf(text.data(),
                        text.size(),
                        "made by lodged, layout %d %016llx",
                        kLayoutNumber,
                        static_cast<unsigned long long>(hash));
    return text.data();
}

bool same_elements(const std::string& comment) {
    const std::string beginning = "made by lodged, layout " + std::to_string(kLayoutNumber) + " ";
    return comment.rfind(beginning, 0) == 0;
}

} // namespace lodge::network
