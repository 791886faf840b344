#pragma once

#include <cstdint>
#include <vector>

/// What the rules of both tables look at.
namespace lodge::network {

inline constexpr const char* kFirewallTable = "lodge";

/// nft's own numbers of the types, six bits each in a concatenation, so that `nft list` reads well.
inline constexpr std::uint32_t kTypeIpv4 = 7;
inline constexpr std::uint32_t kTypeIpv6 = 8;
inline constexpr std::uint32_t kTypeEther = 9;
inline constexpr std::uint32_t kTypeProtocol = 12;
inline constexpr std::uint32_t kTypePort = 13;
inline constexpr std::uint32_t kTypeInterface = 41;
constexpr std::uint32_t pair_of(std::uint32_t first, std::uint32_t second) {
    return (first << 6) | second;
}

/// Offsets in the header of a packet.
inline constexpr std::uint32_t kIpv4Source = 12;
inline constexpr std::uint32_t kIpv4Destination = 16;
inline constexpr std::uint32_t kIpv6Destination = 24;
inline constexpr std::uint32_t kIpv6Source = 8;

inline std::vector<std::uint8_t> big_endian(std::uint16_t value) {
    return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 0xff)};
}

} // namespace lodge::network
