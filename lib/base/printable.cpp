#include "lib/base/printable.hpp"

#include <cstddef>
#include <cstdint>

namespace lodge {

namespace {

// How long a well-formed sequence is that begins with this byte; 0: none does (RFC 3629).
std::size_t length_of(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        return 3;
    }
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

// The length of the printable character that `text` begins with; 0: there is none.
std::size_t printable_length(std::string_view text) {
    const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const std::size_t length = length_of(byte(0));
    if (length == 0 || length > text.size()) {
        return 0;
    }
    constexpr std::uint32_t kLeadBits[]{0x7f, 0x1f, 0x0f, 0x07};
    std::uint32_t point = byte(0) & kLeadBits[length - 1];
    for (std::size_t at = 1; at < length; ++at) {
        if ((byte(at) & 0xc0U) != 0x80U) {
            return 0;
        }
        point = point << 6U | (byte(at) & 0x3fU);
    }
    constexpr std::uint32_t kLeast[]{0x20, 0xa0, 0x800, 0x10000}; // below: overlong, or C1
    const bool surrogate = point >= 0xd800 && point < 0xe000;
    return point < kLeast[length - 1] || point == 0x7f || surrogate || point > 0x10ffff ? 0
                                                                                        : length;
}

} // namespace

std::string printable(std::string_view text, std::string_view kept) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const bool keep = kept.find(text.front()) != std::string_view::npos;
        const std::size_t length = keep ? 1 : printable_length(text);
        shown += length == 0 ? "?" : text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return shown;
}

} // namespace lodge
