#include "network/network.hpp"
#include "network/nft_batch.hpp"
#include "network/nft_rule.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <set>
#include <utility>

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace lodge::network {

namespace {

constexpr const char* kTable = "lodge";
constexpr const char* kFromContainer = "from-container";
constexpr const char* kPorts = "ports"; ///< interface: the cards of containers
constexpr const char* kMacs = "macs";   ///< interface . source MAC
constexpr const char* kV4 = "v4";       ///< interface . source IPv4
constexpr const char* kV6 = "v6";       ///< interface . source IPv6

// nft's own numbers of the types, six bits each in a concatenation, so that `nft list` reads well.
constexpr std::uint32_t kTypeIpv4 = 7;
constexpr std::uint32_t kTypeIpv6 = 8;
constexpr std::uint32_t kTypeEther = 9;
constexpr std::uint32_t kTypeInterface = 41;
constexpr std::uint32_t pair_with_interface(std::uint32_t type) {
    return (kTypeInterface << 6) | type;
}

// NF_BR_PRE_ROUTING; its header linux/netfilter_bridge.h does not compile on its own as C++.
constexpr std::uint32_t kBridgePrerouting = 0;
constexpr unsigned kAfterInterface = 4; ///< 32-bit registers that an interface name fills
constexpr std::uint8_t kRouterAdvertisement = 134;
constexpr std::uint8_t kNeighbourAdvertisement = 136;

const std::array<NftSet, 4> kSets{{{kPorts, kTypeInterface, 16},
                                   {kMacs, pair_with_interface(kTypeEther), 24},
                                   {kV4, pair_with_interface(kTypeIpv4), 20},
                                   {kV6, pair_with_interface(kTypeIpv6), 32}}};

std::vector<std::uint8_t> big_endian(std::uint16_t value) {
    return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 0xff)};
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

RuleBuilder icmpv6_of_type(std::uint8_t type) {
    RuleBuilder rule = of_type(ETH_P_IPV6);
    rule.load_transport_protocol(0).equals(0, {IPPROTO_ICMPV6});
    rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0).equals(0, {type});
    return rule;
}

// The rules for a frame that came from a container's card. Constant in number.
void add_spoofing_rules(NftBatch& batch) {
    constexpr std::uint32_t kArpSender = 14;
    constexpr std::uint32_t kArpSenderMac = 8;
    constexpr std::uint32_t kIpv4Source = 12;
    constexpr std::uint32_t kIpv6Source = 8;
    constexpr std::uint32_t kNeighbourTarget = 8;
    const auto add = [&](NftRule rule) { batch.add_rule(kFromContainer, std::move(rule)); };

    RuleBuilder mac;
    mac.load_in_interface(0).load_payload(
        NFT_PAYLOAD_LL_HEADER, ETH_ALEN, ETH_ALEN, kAfterInterface);
    add(mac.not_in_set(kMacs).drop());
    add(source_of(ETH_P_ARP, kArpSenderMac, ETH_ALEN).not_in_set(kMacs).drop());
    add(source_of(ETH_P_ARP, kArpSender, 4).in_set(kV4).accept());
    add(source_of(ETH_P_IP, kIpv4Source, 4).in_set(kV4).accept());
    add(icmpv6_of_type(kRouterAdvertisement).drop());
    RuleBuilder advertised = icmpv6_of_type(kNeighbourAdvertisement);
    advertised.load_in_interface(0).load_payload(
        NFT_PAYLOAD_TRANSPORT_HEADER, kNeighbourTarget, 16, kAfterInterface);
    add(advertised.not_in_set(kV6).drop());
    add(source_of(ETH_P_IPV6, kIpv6Source, 16).in_set(kV6).accept());
    // Duplicate address detection and multicast listener reports come from the unspecified address.
    RuleBuilder unspecified = of_type(ETH_P_IPV6);
    unspecified.load_transport_protocol(0).equals(0, {IPPROTO_ICMPV6});
    unspecified.load_payload(NFT_PAYLOAD_NETWORK_HEADER, kIpv6Source, 16, 0)
        .equals(0, std::vector<std::uint8_t>(16, 0));
    add(unspecified.accept());
    add(RuleBuilder().drop());
}

NftBatch bridge_tables() {
    NftBatch batch(NFPROTO_BRIDGE, kTable);
    batch.add_table();
    for (const NftSet& set : kSets) {
        batch.add_set(set);
    }
    constexpr std::int32_t kBeforeAll = -300;
    batch.add_chain({.name = "prerouting",
                     .type = "filter",
                     .hook = kBridgePrerouting,
                     .priority = kBeforeAll});
    batch.add_chain({.name = kFromContainer});
    batch.flush_chain("prerouting");
    batch.flush_chain(kFromContainer);
    RuleBuilder from_port;
    batch.add_rule("prerouting",
                   from_port.load_in_interface(0).in_set(kPorts).go_to(kFromContainer));
    add_spoofing_rules(batch);
    return batch;
}

std::vector<std::uint8_t> network_bytes(const model::CidrAddress& cidr) {
    const auto& bytes = cidr.network().bytes();
    return {bytes.begin(), bytes.begin() + cidr.address.bits() / 8};
}

std::vector<std::uint8_t> mask_bytes(const model::CidrAddress& cidr) {
    std::vector<std::uint8_t> mask(cidr.address.bits() / 8, 0);
    for (unsigned bit = 0; bit < cidr.prefix; ++bit) {
        mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | (0x80 >> (bit % 8)));
    }
    return mask;
}

// What leaves the bridge's network by another interface takes that interface's address, unless it
// stays inside the network.
NftRule masquerade_rule(const model::CidrAddress& cidr, const std::string& bridge) {
    const std::uint32_t source = cidr.address.is_v4() ? 12 : 8;
    const std::uint32_t bytes = cidr.address.bits() / 8;
    RuleBuilder rule;
    rule.load_ip_protocol_version(0).equals(
        0, {static_cast<std::uint8_t>(cidr.address.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6)});
    rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, source, bytes, 0)
        .mask(0, mask_bytes(cidr))
        .equals(0, network_bytes(cidr));
    rule.load_out_interface(0).differs(0, interface_key(bridge));
    return rule.masquerade();
}

NftBatch inet_table(const BridgeSpec& bridge) {
    NftBatch batch(NFPROTO_INET, kTable);
    batch.add_table();
    constexpr std::int32_t kSourceNat = 100; // NF_IP_PRI_NAT_SRC
    batch.add_chain({.name = "postrouting",
                     .type = "nat",
                     .hook = NF_INET_POST_ROUTING,
                     .priority = kSourceNat});
    batch.flush_chain("postrouting");
    for (const model::CidrAddress& network : bridge.addresses) {
        batch.add_rule("postrouting", masquerade_rule(network, bridge.name));
    }
    return batch;
}

NftKey key_of(const std::string& interface, std::span<const std::uint8_t> rest) {
    NftKey key = interface_key(interface);
    key.insert(key.end(), rest.begin(), rest.end());
    key.resize((key.size() + 3) / 4 * 4, 0);
    return key;
}

Result<std::array<std::uint8_t, ETH_ALEN>> parse_mac(const std::string& text) {
    std::array<std::uint8_t, ETH_ALEN> mac{};
    const char* at = text.data();
    const char* const last = at + text.size();
    for (std::size_t i = 0; i < mac.size(); ++i) {
        const auto [end, error] = std::from_chars(at, std::min(at + 2, last), mac[i], 16);
        const bool separated = i + 1 == mac.size() ? end == last : end != last && *end == ':';
        if (error != std::errc{} || end != at + 2 || !separated) {
            return fail(ErrorCode::invalid_argument, "'" + text + "' is not a MAC address");
        }
        at = end + 1;
    }
    return mac;
}

// The link-local address that the kernel derives from the MAC (RFC 4291, appendix A).
std::array<std::uint8_t, 16> link_local(const std::array<std::uint8_t, ETH_ALEN>& mac) {
    return {0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            static_cast<std::uint8_t>(mac[0] ^ 2),
            mac[1],
            mac[2],
            0xff,
            0xfe,
            mac[3],
            mac[4],
            mac[5]};
}

bool belongs_to(const NftKey& key, const std::string& interface) {
    const auto name = interface_key(interface);
    return key.size() >= name.size() && std::equal(name.begin(), name.end(), key.begin());
}

class NftFirewallDriver final : public FirewallDriver {
  public:
    Status ensure_tables(const BridgeSpec& bridge) override {
        RETURN_IF_ERROR(with_context(inet_table(bridge).commit(), "make the table inet lodge"));
        return with_context(bridge_tables().commit(), "make the table bridge lodge");
    }

    Status remove_tables() override {
        for (const std::uint32_t family :
             {std::uint32_t{NFPROTO_INET}, std::uint32_t{NFPROTO_BRIDGE}}) {
            NftBatch batch(family, kTable);
            batch.add_table(); // so that deleting it cannot fail for its absence
            batch.delete_table();
            RETURN_IF_ERROR(with_context(batch.commit(), "remove the table lodge"));
        }
        return {};
    }

    Status admit(const Nic& nic) override {
        const std::string port = nic.host_name();
        RETURN_IF_ERROR(expel(port)); // what an earlier start admitted
        ASSIGN_OR_RETURN(const auto mac, parse_mac(nic.mac_address));
        NftBatch batch(NFPROTO_BRIDGE, kTable);
        batch.add_elements(kPorts, std::array{key_of(port, {})});
        batch.add_elements(kMacs, std::array{key_of(port, mac)});
        std::vector<NftKey> v4;
        std::vector<NftKey> v6{key_of(port, link_local(mac))};
        for (const model::CidrAddress& address : nic.addresses) {
            const auto& bytes = address.address.bytes();
            auto& keys = address.address.is_v4() ? v4 : v6;
            keys.push_back(key_of(port, std::span(bytes).subspan(0, address.address.bits() / 8)));
        }
        batch.add_elements(kV4, v4);
        batch.add_elements(kV6, v6);
        return with_context(batch.commit(), "admit " + port);
    }

    Status expel(const std::string& host_name) override {
        NftBatch batch(NFPROTO_BRIDGE, kTable);
        bool any = false;
        for (const NftSet& set : kSets) {
            ASSIGN_OR_RETURN(std::vector<NftKey> keys,
                             list_elements(NFPROTO_BRIDGE, kTable, set.name));
            std::erase_if(keys, [&](const NftKey& key) { return !belongs_to(key, host_name); });
            any = any || !keys.empty();
            batch.delete_elements(set.name, keys);
        }
        return any ? with_context(batch.commit(), "expel " + host_name) : Status{};
    }

    Result<std::vector<std::string>> admitted() override {
        std::set<std::string> names;
        for (const NftSet& set : kSets) {
            ASSIGN_OR_RETURN(const auto keys, list_elements(NFPROTO_BRIDGE, kTable, set.name));
            for (const NftKey& key : keys) {
                const auto end = std::find(
                    key.begin(), key.begin() + std::min<std::ptrdiff_t>(16, std::ssize(key)), 0);
                names.emplace(key.begin(), end);
            }
        }
        return std::vector<std::string>(names.begin(), names.end());
    }
};

} // namespace

std::unique_ptr<FirewallDriver> make_firewall_driver() {
    return std::make_unique<NftFirewallDriver>();
}

} // namespace lodge::network
