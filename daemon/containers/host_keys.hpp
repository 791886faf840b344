#pragma once

#include "daemon/containers/monitor.hpp"
#include "lib/base/error.hpp"

#include <string>

namespace lodge::daemon {

/// The public keys with which sshd of a running container shows itself, a line each; empty when it
/// has none (yet). timeout when the container does not tell in ten seconds. Thread-safe.
///
/// They are read by a session inside: the tenant owns every path there, and may let whoever walks
/// one wait in the kernel for ever (FUSE).
[[nodiscard]] Result<std::string> read_host_keys(Monitor& monitor);

} // namespace lodge::daemon
