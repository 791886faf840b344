#pragma once

#include "daemon/recovery/inventory.hpp"
#include "daemon/recovery/plan.hpp"
#include "daemon/recovery/recovery.hpp"

#include <functional>
#include <string>

namespace lodge::daemon {

/// The means to carry out steps. Borrowed for the call.
struct Means {
    const Parts& parts;
    Look& look; ///< the steps were planned from it
    std::function<Status(const std::string& digest)>
        drop_image;        ///< removes image and mount, unless claimed
    bool at_start = false; ///< hundreds of take_up are not published then: they hide the rest
};

/// Does one step and publishes it as an event (except a take_up that succeeds `at_start`).
/// Idempotent: the next recovery repeats an interrupted step. Pre: nothing else acts on the subject
/// of the step.
[[nodiscard]] RecoveryOutcome carry_out(const Means& means, const RecoveryStep& step);

} // namespace lodge::daemon
