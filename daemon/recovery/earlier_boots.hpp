#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// Ends what an earlier boot left unfinished of verbs that only change what runs: nothing of it is
/// in the kernel any more, so all there is to do is to write into the row what the verb was to come
/// to. To be called before enter_boot(), which plans from the rows. Creates, destroys, sets and the
/// verbs of templates leave things on the disk: recover() sees to them.
[[nodiscard]] Status end_verbs_of_earlier_boots(const Parts& parts, OperationLog& log);

/// As the host's boot leaves a container that was up.
void mark_booted_away(model::Container& container);

} // namespace lodge::daemon
