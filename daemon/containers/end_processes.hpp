#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Kills every process of a container, frozen ones too, and waits until none is left. It frees
/// processes that wait for a FUSE server of the container by breaking that connection. timeout,
/// naming the processes and where they wait, when one stays in the kernel for more than ten
/// seconds.
[[nodiscard]] Status end_processes(const Parts& parts, const model::Container& container);

} // namespace lodge::daemon
