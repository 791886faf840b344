#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lodge {

/// RFC 4648, section 4, with padding.
[[nodiscard]] std::string encode_base64(std::string_view bytes);
/// The reverse; nullopt for a text that encode_base64() does not write.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

} // namespace lodge
