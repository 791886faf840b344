#pragma once

#include "lib/base/error.hpp"
#include "lib/model/address.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace lodge::network {

using MacAddress = std::array<std::uint8_t, 6>;

/// "02:00:00:aa:bb:cc", of one card: a multicast address is refused.
[[nodiscard]] Result<MacAddress> parse_mac(const std::string& text);
/// The link-local address that the kernel derives from it (RFC 4291, appendix A). Pure.
[[nodiscard]] model::IpAddress link_local_of(const MacAddress& mac);

} // namespace lodge::network
