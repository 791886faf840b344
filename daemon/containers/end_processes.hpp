#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Kills every process of a container, a frozen one too, and waits until none is left. What waits
/// for a FUSE server of the container's own is freed by breaking that connection. timeout, naming
/// the processes and where they are, when one stays in the kernel for more than ten seconds.
[[nodiscard]] Status end_processes(const Parts& parts, const model::Container& container);

} // namespace lodge::daemon
