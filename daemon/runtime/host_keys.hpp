#pragma once

#include "daemon/runtime/runtime.hpp"
#include "lib/base/error.hpp"

#include <string>

namespace lodge::daemon {

/// The public host keys of sshd in a running container, one a line; empty when it has none (yet).
/// timeout when the container does not answer in ten seconds. Thread-safe.
///
/// A session inside reads them: the tenant owns every path there, and may let a reader wait in the
/// kernel for ever (FUSE).
[[nodiscard]] Result<std::string> read_host_keys(Monitor& monitor);

} // namespace lodge::daemon
