#include "lib/base/printable.hpp"

#include "lib/base/utf8.hpp"

#include <algorithm>
#include <cstddef>

namespace lodge {

namespace {

// The length of the printable character at the beginning of `text`; 0: the text begins with no
// printable character.
std::size_t printable_length(std::string_view text) {
    const auto character = first_character(text);
    if (!character) {
        return 0;
    }
    const bool control = character->point < 0x20 ||                             // C0
                         (character->point >= 0x7f && character->point < 0xa0); // DEL, C1
    return control ? 0 : character->length;
}

// A fast path: nearly all texts are printable ASCII.
bool is_plain(std::string_view text) {
    return std::ranges::all_of(text, [](char byte) { return byte >= 0x20 && byte < 0x7f; });
}

} // namespace

std::string printable(std::string_view text, std::string_view kept) {
    if (is_plain(text)) {
        return std::string(text);
    }
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
