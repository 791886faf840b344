#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lodge {

/// A character of a text in UTF-8 (RFC 3629).
struct Utf8Character {
    std::size_t length = 0; ///< in bytes
    std::uint32_t point = 0;
};
/// The character at the beginning of `text`; nullopt when it is not well-formed. Pre: not empty.
[[nodiscard]] std::optional<Utf8Character> first_character(std::string_view text);

/// Whether all characters of `text` are well-formed.
[[nodiscard]] bool is_utf8(std::string_view text);

} // namespace lodge
