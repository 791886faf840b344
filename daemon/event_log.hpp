#pragma once

#include "daemon/log.hpp"
#include "daemon/services.hpp"

namespace lodge::daemon {

/// What the log tells of an event: "start 'web1' done in 34 ms", "container 'web1' crashed: ...".
/// Empty for what only a watcher of progress wants (starts of operations and their steps).
[[nodiscard]] std::string describe(const Event& event);

/// Writes it; a failed operation and a crash as a warning.
void log_event(const Log& log, const Event& event);

} // namespace lodge::daemon
