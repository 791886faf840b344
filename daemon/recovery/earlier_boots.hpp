#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Ends the unfinished operations of an earlier boot whose verbs change only running containers.
/// The kernel has nothing of them any more, so this writes their result into the row. Call it
/// before enter_boot(), which plans from the rows. Creates, destroys, sets and the verbs of
/// templates leave things on the disk: recover() handles them.
[[nodiscard]] Status end_verbs_of_earlier_boots(const Parts& parts, OperationLog& log);

/// Puts a container that was up into its state after a boot of the host.
void mark_booted_away(model::Container& container);

} // namespace lodge::daemon
