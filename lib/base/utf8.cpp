#include "lib/base/utf8.hpp"

namespace lodge {

namespace {

// The length of a well-formed sequence that begins with this byte; 0: no sequence begins with it.
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

} // namespace

std::optional<Utf8Character> first_character(std::string_view text) {
    const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const std::size_t length = length_of(byte(0));
    if (length == 0 || length > text.size()) {
        return std::nullopt;
    }
    constexpr std::uint32_t kLeadBits[]{0x7f, 0x1f, 0x0f, 0x07};
    std::uint32_t point = byte(0) & kLeadBits[length - 1];
    for (std::size_t at = 1; at < length; ++at) {
        if ((byte(at) & 0xc0U) != 0x80U) {
            return std::nullopt;
        }
        point = point << 6U | (byte(at) & 0x3fU);
    }
    constexpr std::uint32_t kLeast[]{0, 0x80, 0x800, 0x10000}; // a smaller point is overlong
    const bool surrogate = point >= 0xd800 && point < 0xe000;
    if (point < kLeast[length - 1] || surrogate || point > 0x10ffff) {
        return std::nullopt;
    }
    return Utf8Character{.length = length, .point = point};
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const auto character = first_character(text);
        if (!character) {
            return false;
        }
        text.remove_prefix(character->length);
    }
    return true;
}

} // namespace lodge
