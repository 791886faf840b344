#include "network/firewall_layout.hpp"

#include "network/firewall_fields.hpp"
#include "network/nft_rule.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

namespace lodge::network {

namespace {

constexpr const char* kToHost = "from-container-to-host";
constexpr const char* kHostServices = "host-services"; ///< transport protocol . port
constexpr const char* kOfCard = "connections-of-card"; ///< chain: opened by a container
constexpr const char* kToCard = "connections-to-card"; ///< chain: opened from outside

// For each family: the field of its packets that names the container, and the dynamic sets by that
// address.
struct Family {
    std::uint8_t protocol;
    std::uint32_t type;
    std::uint32_t bytes;
    std::uint32_t source;
    std::uint32_t destination;
    const char* count;
    const char* rate;
};

constexpr std::array kFamilies{Family{NFPROTO_IPV4,
                                      kTypeIpv4,
                                      4,
                                      kIpv4Source,
                                      kIpv4Destination,
                                      "connections4",
                                      "new-connections4"},
                               Family{NFPROTO_IPV6,
                                      kTypeIpv6,
                                      16,
                                      kIpv6Source,
                                      kIpv6Destination,
                                      "connections6",
                                      "new-connections6"}};

// Registers that hold numbers of the kernel are in host order.
std::vector<std::uint8_t> host_order(std::uint32_t value) {
    std::vector<std::uint8_t> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
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

const Family& family_of(const model::IpAddress& address) {
    return kFamilies[address.is_v4() ? 0 : 1];
}

RuleBuilder of_family(const Family& family) {
    RuleBuilder rule;
    rule.load_ip_protocol_version(0).equals(0, {family.protocol});
    return rule;
}

RuleBuilder of_family(const model::IpAddress& address) {
    return of_family(family_of(address));
}

RuleBuilder&
in_network(RuleBuilder& rule, std::uint32_t offset, const model::CidrAddress& network) {
    return rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, network.address.bits() / 8, 0)
        .mask(0, mask_bytes(network))
        .equals(0, network_bytes(network));
}

// A packet that leaves the bridge's network by another interface takes that interface's address.
NftRule masquerade_rule(const model::CidrAddress& cidr, const std::string& bridge) {
    RuleBuilder rule = of_family(cidr.address);
    in_network(rule, family_of(cidr.address).source, cidr)
        .load_out_interface(0)
        .differs(0, interface_key(bridge));
    return rule.masquerade();
}

// A packet of a container to a mapped port of another comes back through the host. Straight over
// the bridge, the answer would come from an address that was not asked.
NftRule hairpin_rule(const model::CidrAddress& cidr, const std::string& bridge) {
    RuleBuilder rule = of_family(cidr.address);
    in_network(rule, family_of(cidr.address).source, cidr)
        .load_out_interface(0)
        .equals(0, interface_key(bridge));
    rule.load_connection_status(0).mask(0, host_order(IPS_DST_NAT)).differs(0, host_order(0));
    return rule.masquerade();
}

// Where br_netfilter is loaded, packets between containers pass here too. Nothing needs to track
// them, and two containers could fill the host's table with them.
NftRule untracked_rule(const model::CidrAddress& cidr, const std::string& bridge) {
    const Family& family = family_of(cidr.address);
    RuleBuilder rule = of_family(family);
    rule.load_in_interface(0).equals(0, interface_key(bridge));
    in_network(rule, family.source, cidr);
    in_network(rule, family.destination, cidr);
    const auto& gateway = cidr.address.bytes();
    rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, family.destination, family.bytes, 0)
        .differs(0, {gateway.begin(), gateway.begin() + family.bytes});
    return rule.do_not_track();
}

constexpr std::uint32_t state_bit(std::uint32_t state) {
    return 1U << (state + 1); // NF_CT_STATE_BIT
}
const std::uint32_t kKnownConnection = state_bit(IP_CT_ESTABLISHED) | state_bit(IP_CT_RELATED);

// Matches connections that are not confirmed yet. The state does not tell them: it stays new until
// there is an answer.
RuleBuilder& opens_connection(RuleBuilder& rule) {
    return rule.load_connection_status(0)
        .mask(0, host_order(IPS_CONFIRMED))
        .equals(0, host_order(0));
}

// The host and all containers share one table of connections. Each address of a container has a
// number of places in it. A connection that was opened and closed keeps its place for a while, and
// the kernel does not count it any more. So the rate is bounded too, with all places at once to
// begin with. The rate comes first: for each new connection the kernel may look at all that it has
// counted.
void add_bound_rules(TableLayout& layout, std::uint32_t most) {
    constexpr std::uint32_t kSecondsToFill = 8;
    for (const Family& family : kFamilies) {
        const std::string kind = family.protocol == NFPROTO_IPV4 ? "IPv4" : "IPv6";
        for (const auto& [chain, offset] :
             {std::pair(kOfCard, family.source), std::pair(kToCard, family.destination)}) {
            const std::string what =
                kind + " connections " + (offset == family.source ? "of" : "to") + " a container";
            RuleBuilder fast = of_family(family);
            fast.load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, family.bytes, 0)
                .faster_than(family.rate, most / kSecondsToFill, most);
            layout.rules.emplace_back(chain, fast.count().comment("too fast: " + what).drop());
            RuleBuilder many = of_family(family);
            many.load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, family.bytes, 0)
                .more_than(family.count, most);
            layout.rules.emplace_back(chain, many.count().comment("too many: " + what).drop());
        }
    }
}

void add_bound_sets(TableLayout& layout) {
    constexpr std::uint32_t kMostAddresses = 1U << 18; // with all that a /16 has, both families
    for (const Family& family : kFamilies) {
        layout.sets.push_back({family.count, family.type, family.bytes, kMostAddresses, false});
        layout.sets.push_back({family.rate, family.type, family.bytes, kMostAddresses, true});
    }
}

// Addresses at which clouds serve the credentials of their hosts: all link-local ones of IPv4, as
// most clouds use one of them; then Azure, Alibaba, Oracle; Amazon and Google over IPv6.
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
    RuleBuilder rule = of_family(place.address);
    rule.load_in_interface(0).equals(0, interface_key(bridge));
    in_network(rule, family_of(place.address).destination, place);
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

    RuleBuilder opened;
    opened.load_in_interface(0).equals(0, interface_key(bridge));
    layout.rules.emplace_back("forward", opens_connection(opened).jump_to(kOfCard));
    RuleBuilder mapped;
    mapped.load_in_interface(0).differs(0, interface_key(bridge));
    mapped.load_out_interface(0).equals(0, interface_key(bridge));
    layout.rules.emplace_back("forward", opens_connection(mapped).jump_to(kToCard));
}

void add_host_rules(TableLayout& layout, const std::string& bridge) {
    constexpr std::uint32_t kDestinationPort = 2;
    RuleBuilder from_bridge;
    from_bridge.load_in_interface(0).equals(0, interface_key(bridge));
    layout.rules.emplace_back("input", from_bridge.go_to(kToHost));

    RuleBuilder known;
    known.load_connection_state(0).mask(0, host_order(kKnownConnection)).differs(0, host_order(0));
    layout.rules.emplace_back(kToHost, known.accept());
    RuleBuilder opened;
    layout.rules.emplace_back(kToHost, opens_connection(opened).jump_to(kOfCard));
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

TableLayout inet_layout(const BridgeSpec& bridge) {
    constexpr std::int32_t kRaw = -300;      // NF_IP_PRI_RAW
    constexpr std::int32_t kFilter = 0;      // NF_IP_PRI_FILTER
    constexpr std::int32_t kSourceNat = 100; // NF_IP_PRI_NAT_SRC
    TableLayout layout;
    layout.table = {.family = NFPROTO_INET, .name = kFirewallTable};
    layout.sets = {{kHostServices, pair_of(kTypeProtocol, kTypePort), 8}};
    add_bound_sets(layout);
    layout.chains = {
        {.name = kOfCard},
        {.name = kToCard},
        {.name = kToHost},
        {.name = "prerouting", .type = "filter", .hook = NF_INET_PRE_ROUTING, .priority = kRaw},
        {.name = "input", .type = "filter", .hook = NF_INET_LOCAL_IN, .priority = kFilter},
        {.name = "forward", .type = "filter", .hook = NF_INET_FORWARD, .priority = kFilter},
        {.name = "postrouting",
         .type = "nat",
         .hook = NF_INET_POST_ROUTING,
         .priority = kSourceNat}};
    add_bound_rules(layout, bridge.most_connections);
    add_host_rules(layout, bridge.name);
    add_forward_rules(layout, bridge.name);
    for (const model::CidrAddress& network : bridge.addresses) {
        layout.rules.emplace_back("prerouting", untracked_rule(network, bridge.name));
        layout.rules.emplace_back("postrouting", masquerade_rule(network, bridge.name));
        layout.rules.emplace_back("postrouting", hairpin_rule(network, bridge.name));
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
