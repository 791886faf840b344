#include "network/mac.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace lodge::network {

Result<MacAddress> parse_mac(const std::string& text) {
    MacAddress mac{};
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

model::IpAddress link_local_of(const MacAddress& mac) {
    std::array<std::uint8_t, 16> address{0xfe, 0x80};
    address[8] = static_cast<std::uint8_t>(mac[0] ^ 2);
    address[9] = mac[1];
    address[10] = mac[2];
    address[11] = 0xff;
    address[12] = 0xfe;
    std::copy(mac.begin() + 3, mac.end(), address.begin() + 13);
    return model::IpAddress::v6(address);
}

} // namespace lodge::network
