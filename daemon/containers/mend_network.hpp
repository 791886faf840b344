#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// The bridge and forwarding are as a start of the daemon makes them. What somebody took away comes
/// back, with the cards of running containers, and is told as an event. Where all is well this
/// costs a few looks, whatever the number of containers. A card that cannot be put back is told and
/// left to `host check`.
[[nodiscard]] Status mend_network(const Parts& parts);

} // namespace lodge::daemon
