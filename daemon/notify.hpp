#pragma once

#include "lib/base/error.hpp"

#include <string_view>

namespace lodge::daemon {

/// sd_notify(3): sends a state such as "READY=1" to the service manager, if there is one
/// (NOTIFY_SOCKET). Success without one.
[[nodiscard]] Status notify_service_manager(std::string_view state);

} // namespace lodge::daemon
