#pragma once

#include "daemon/containers/parts.hpp"
#include "lib/model/verb.hpp"

#include <memory>
#include <string>
#include <utility>

namespace lodge::daemon {

/// The monitor of a container that `verb` is for in its state. invalid_state as the table of states
/// says, and when the container is being stopped.
[[nodiscard]] Result<std::shared_ptr<Monitor>>
living_monitor(const Parts& parts, const std::string& name, model::Verb verb);

[[nodiscard]] Error being_stopped(const std::string& name);

/// The result of a call of a monitor, which may have gone between the look and the call.
template <typename T>
Result<T> unless_gone(const std::string& name, Result<T> result) {
    if (!result && result.error().code() == ErrorCode::not_found) {
        return std::unexpected<Error>(being_stopped(name));
    }
    return result;
}

} // namespace lodge::daemon
