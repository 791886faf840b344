#pragma once

#include "daemon/log.hpp"
#include "daemon/services/operations.hpp"

namespace lodge::daemon {

/// The line of an event in the log: "start 'web1' done in 34 ms", "container 'web1' crashed: ...".
/// Empty for starts of operations and their steps, which only event streams show.
[[nodiscard]] std::string describe(const Event& event);

/// Writes the line; a failed operation and a crash as a warning.
void log_event(const Log& log, const Event& event);

} // namespace lodge::daemon
