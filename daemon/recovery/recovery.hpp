#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/operations/engine.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// What the three truths say of one container or of something that carries a container's UUID.
struct Sighting {
    Uuid uuid;
    bool has_row = false;
    bool published = false;
    model::State state = model::State::stopped;
    bool this_boot = true;    ///< the row's state was written in this boot
    bool has_monitor = false; ///< one answers
    bool init_ended = false;  ///< the monitor says so
    bool has_group = false;
    bool group_frozen = false; ///< asked to be, see GroupManager::is_frozen
    bool has_directory = false;
};

/// What to do about it.
enum class Recovery {
    nothing,
    take_up,             ///< running and watched: go on watching
    take_up_as_recorded, ///< the same, but the group is frozen or not against the row: the row
                         ///< counts
    stop,                ///< the row says running, the kernel or the monitor says otherwise
    mark_stopped,        ///< the host was booted anew: no kernel object is left
    remove_row,          ///< a create that never came to its end
    sweep,               ///< kernel objects or files that no row claims
};

/// The one decision. Pure; its truth table is in daemon/README.md and in a unit test.
[[nodiscard]] Recovery decide(const Sighting& sighting);

/// Finishes unfinished operations, then looks at everything and acts as decide() says. Run once,
/// before the first request is taken.
[[nodiscard]] Status recover(const Parts& parts, OperationEngine& engine, OperationLog& log);

} // namespace lodge::daemon
