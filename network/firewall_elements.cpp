#include "network/firewall_layout.hpp"
#include "network/nft_rule.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>

#include <linux/if_ether.h>
#include <net/if.h>

namespace lodge::network {

namespace {

NftKey key_of(const std::string& interface, std::span<const std::uint8_t> rest) {
    NftKey key = interface_key(interface);
    key.insert(key.end(), rest.begin(), rest.end());
    key.resize((key.size() + 3) / 4 * 4, 0);
    return key;
}

using Mac = std::array<std::uint8_t, ETH_ALEN>;

Result<Mac> parse_mac(const std::string& text) {
    Mac mac{};
    const char* at = text.data();
    const char* const last = at + text.size();
    for (std::size_t i = 0; i < mac.size(); ++i) {
        const char* const most = last - at > 2 ? at + 2 : last;
        const auto [end, error] = std::from_chars(at, most, mac[i], 16);
        const bool separated = i + 1 == mac.size() ? end == last : end != last && *end == ':';
        if (error != std::errc{} || end != at + 2 || !separated) {
            return fail(ErrorCode::invalid_argument, "'" + text + "' is not a MAC address");
        }
        at = end + (end == last ? 0 : 1);
    }
    if ((mac[0] & 1) != 0) {
        return fail(ErrorCode::invalid_argument,
                    "'" + text + "' is a multicast address and cannot be a card's own");
    }
    return mac;
}

// The link-local address that the kernel derives from the MAC (RFC 4291, appendix A).
std::array<std::uint8_t, 16> link_local_of(const Mac& mac) {
    std::array<std::uint8_t, 16> address{0xfe, 0x80};
    address[8] = static_cast<std::uint8_t>(mac[0] ^ 2);
    address[9] = mac[1];
    address[10] = mac[2];
    address[11] = 0xff;
    address[12] = 0xfe;
    std::copy(mac.begin() + 3, mac.end(), address.begin() + 13);
    return address;
}

} // namespace

std::string interface_of(const NftKey& key) {
    if (key.size() < IFNAMSIZ) {
        return {};
    }
    const auto end = std::find(key.begin(), key.begin() + IFNAMSIZ, 0);
    return {key.begin(), end};
}

Result<PortElements> elements_of(const Nic& nic) {
    const std::string port = nic.host_name();
    ASSIGN_OR_RETURN(const Mac mac, parse_mac(nic.mac_address));
    PortElements elements;
    auto& [ports, macs, v4, v6] = elements;
    ports.push_back(key_of(port, {}));
    macs.push_back(key_of(port, mac));
    v6.push_back(key_of(port, link_local_of(mac)));
    for (const model::CidrAddress& cidr : nic.addresses) {
        const std::span bytes(cidr.address.bytes());
        auto& keys = cidr.address.is_v4() ? v4 : v6;
        keys.push_back(key_of(port, bytes.subspan(0, cidr.address.bits() / 8)));
    }
    for (auto& keys : elements) {
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    }
    return elements;
}

} // namespace lodge::network
