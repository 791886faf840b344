#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Asks init by its template's halt signal to end, as soon as it can hear that, and waits until it
/// has ended or `deadline`. Success says nothing of whether it obeyed.
[[nodiscard]] Status halt(const Parts& parts,
                          const model::Container& container,
                          Monitor& monitor,
                          const Deadline& deadline);

/// Waits for news of a monitor; false: none by the deadline.
[[nodiscard]] bool wait_for_news(const Monitor& monitor, const Deadline& deadline);

} // namespace lodge::daemon
