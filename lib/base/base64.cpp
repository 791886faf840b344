#include "lib/base/base64.hpp"

#include <cstddef>
#include <utility>

namespace lodge {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kBits = 6; // of a character

std::optional<unsigned> value_of(char c) {
    const std::size_t at = kAlphabet.find(c);
    return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

} // namespace

std::string encode_base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    unsigned held = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        held = (held << 8) | static_cast<unsigned char>(c);
        bits += 8;
        while (bits >= kBits) {
            bits -= kBits;
            text += kAlphabet[(held >> bits) & 0x3f];
        }
    }
    if (bits > 0) {
        text += kAlphabet[(held << (kBits - bits)) & 0x3f];
    }
    text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    unsigned held = 0;
    unsigned bits = 0;
    for (const char c : text.substr(0, text.size() - padding)) {
        const auto value = value_of(c);
        if (!value) {
            return std::nullopt;
        }
        held = (held << kBits) | *value;
        bits += kBits;
        if (bits >= 8) {
            bits -= 8;
            bytes.push_back(static_cast<char>((held >> bits) & 0xff));
        }
    }
    const unsigned left = held & ((1U << bits) - 1); // spare bits of the last character
    return left == 0 ? std::optional(std::move(bytes)) : std::nullopt;
}

} // namespace lodge
