#pragma once

#include "lib/base/error.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace lodge::model {

/// The values of an enumeration and their names in the API and on the command line.
template <typename T, std::size_t N>
using Names = std::array<std::pair<T, std::string_view>, N>;

template <typename T, std::size_t N>
[[nodiscard]] std::string_view name_of(const Names<T, N>& names, T value) {
    for (const auto& [known, name] : names) {
        if (known == value) {
            return name;
        }
    }
    return "?";
}

/// invalid_argument, listing the known names, when `text` is none of them. `what` is the noun with
/// its article: "a state".
template <typename T, std::size_t N>
[[nodiscard]] Result<T>
value_of(const Names<T, N>& names, std::string_view text, std::string_view what) {
    std::string known;
    for (const auto& [value, name] : names) {
        if (name == text) {
            return value;
        }
        known.append(known.empty() ? "" : ", ").append(name);
    }
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(text) + "' is not " + std::string(what) + "; known are " + known);
}

} // namespace lodge::model
