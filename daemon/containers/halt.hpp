#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Asks a container to halt, as soon as its init heeds that, and waits until init has ended or
/// `deadline`. Success does not say whether init obeyed. `cancelled` when the daemon ends: the next
/// daemon waits on.
[[nodiscard]] Status halt(const Parts& parts,
                          const model::Container& container,
                          Monitor& monitor,
                          const Deadline& deadline);

/// Waits for news of a monitor, or until `end_fd` is readable. False: neither by the deadline.
[[nodiscard]] bool wait_for_news(const Monitor& monitor, const Deadline& deadline, int end_fd = -1);

} // namespace lodge::daemon
