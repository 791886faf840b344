#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace lodge::secret {

/// Bytes in the type of libsodium's parameters.
inline unsigned char* octets(std::span<std::byte> bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}
inline const unsigned char* octets(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

} // namespace lodge::secret
