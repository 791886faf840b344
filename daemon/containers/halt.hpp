#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Asks init by its template's halt signal to end, as soon as it can hear that, and waits until it
/// has ended or `deadline`. Success says nothing of whether it obeyed. `cancelled` when the daemon
/// ends: the next one waits on.
[[nodiscard]] Status halt(const Parts& parts,
                          const model::Container& container,
                          Monitor& monitor,
                          const Deadline& deadline);

/// Waits for news of a monitor, or until `end_fd` is readable; false: none by the deadline.
[[nodiscard]] bool wait_for_news(const Monitor& monitor, const Deadline& deadline, int end_fd = -1);

} // namespace lodge::daemon
