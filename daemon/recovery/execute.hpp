#pragma once

#include "daemon/recovery/inventory.hpp"
#include "daemon/recovery/plan.hpp"
#include "daemon/recovery/recovery.hpp"

#include <functional>
#include <string>

namespace lodge::daemon {

/// What steps are carried out with. Borrowed for the call.
struct Means {
    const Parts& parts;
    Look& look; ///< that the steps were planned from
    std::function<Status(const std::string& digest)>
        drop_image;        ///< and its mount, unless it is claimed
    bool at_start = false; ///< where each running container is taken up: hundreds hide the rest
};

/// Does one step, and tells it as an event (a take_up that succeeds `at_start` is not told).
/// Idempotent: a step that was interrupted is done again by the next recovery. Pre: nothing else
/// acts on what the step is about.
[[nodiscard]] RecoveryOutcome carry_out(const Means& means, const RecoveryStep& step);

} // namespace lodge::daemon
