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
    std::optional<Error> error; ///< set: it could not be done, and is left as it was
};

/// What a start of the daemon found and did, in its order. A `mark_stopped` in it names a container
/// that ran when the host went down: whoever starts containers after a boot begins there.
struct RecoveryReport {
    std::int64_t took_ms = 0;
    std::vector<RecoveryOutcome> outcomes;
};

/// Finishes unfinished operations, then looks at everything and does what plan_recovery() says.
/// Then the records beside volumes and images are made to agree, and what has its time left goes
/// on. Each step but take_up becomes an event of kind "daemon". Run once, before the first request
/// is taken. Fails only when something could not be looked at: then nothing was judged.
[[nodiscard]] Result<RecoveryReport>
recover(const Parts& parts, OperationEngine& engine, OperationLog& log);

} // namespace lodge::daemon
