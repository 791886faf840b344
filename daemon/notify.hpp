#pragma once

#include "lib/base/error.hpp"

#include <string_view>

namespace lodge::daemon {

/// sd_notify(3): tells the service manager, if there is one (NOTIFY_SOCKET), e.g. "READY=1".
/// Success without one.
[[nodiscard]] Status notify_service_manager(std::string_view state);

} // namespace lodge::daemon
