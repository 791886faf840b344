#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::cli {

/// Puts what a flag says, parsed, into `into`; leaves it as it is when the flag was not given.
template <typename Into, typename Parse>
[[nodiscard]] Status take(const std::string& words, Into& into, Parse parse) {
    if (!words.empty()) {
        ASSIGN_OR_RETURN(into, parse(words));
    }
    return {};
}

} // namespace lodge::cli
