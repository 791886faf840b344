#pragma once

#include "lib/base/uuid.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace lodge::daemon {

/// The arguments of a verb on a container, as the log of operations keeps them.
struct LoggedVerb {
    Uuid container;
    std::optional<std::chrono::milliseconds> halt_timeout; ///< none: init is not asked to halt
};

/// "UUID" or "UUID MILLISECONDS".
[[nodiscard]] std::string to_arguments(const LoggedVerb& verb);
/// Nothing, if the text has another form.
[[nodiscard]] std::optional<LoggedVerb> parse_arguments(const std::string& arguments);

} // namespace lodge::daemon
