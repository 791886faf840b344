#include "network/firewall_layout.hpp"
#include "network/mac.hpp"
#include "network/nft_rule.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

#include <net/if.h>

namespace lodge::network {

namespace {

NftKey key_of(const std::string& interface, std::span<const std::uint8_t> rest) {
    NftKey key = interface_key(interface);
    key.insert(key.end(), rest.begin(), rest.end());
    key.resize((key.size() + 3) / 4 * 4, 0);
    return key;
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
    ASSIGN_OR_RETURN(const MacAddress mac, parse_mac(nic.mac_address));
    PortElements elements;
    auto& [ports, macs, v4, v6] = elements;
    ports.push_back(key_of(port, {}));
    macs.push_back(key_of(port, mac));
    v6.push_back(key_of(port, link_local_of(mac).bytes()));
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
