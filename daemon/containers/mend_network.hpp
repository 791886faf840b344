#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Repairs the bridge and forwarding to the state that a start of the daemon makes, with the cards
/// of running containers, and publishes each repair as an event. If nothing is wrong this takes a
/// few looks, whatever the number of containers. A card that cannot be repaired is logged and left
/// to `host check`.
[[nodiscard]] Status mend_network(const Parts& parts);

} // namespace lodge::daemon
