#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/operations/engine.hpp"
#include "daemon/recovery/plan.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace lodge::daemon {

struct RecoveryOutcome {
    RecoveryStep step;
    std::optional<Error> error; ///< set: the step failed, and its subject is left unchanged
};

/// The steps of a start of the daemon, in order. A `mark_stopped` names a container that ran when
/// the host went down.
struct RecoveryReport {
    std::int64_t took_ms = 0;
    std::vector<RecoveryOutcome> outcomes;
};

/// Finishes unfinished operations, takes the inventory, and carries plan_recovery() out. Then it
/// makes the records beside volumes and images agree with the rows, and resumes the stops whose
/// init has time left. Each step but take_up becomes an event of kind "daemon". Run once, before
/// the first request. Fails only when something cannot be read; then nothing was judged.
[[nodiscard]] Result<RecoveryReport>
recover(const Parts& parts, OperationEngine& engine, OperationLog& log);

} // namespace lodge::daemon
