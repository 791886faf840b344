#pragma once

#include "daemon/store/store.hpp"
#include "lib/base/error.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lodge::daemon {

/// One step of an operation. The engine logs its intent before it calls `perform`. `undo` may be
/// empty. An undo works whether `perform` never ran, half ran or ran, and may run again.
struct Step {
    std::string name;
    std::function<Status()> perform;
    std::function<Status()> undo;
    std::string object; ///< the object of the act; see StepId

    [[nodiscard]] StepId id() const { return {name, object}; }
};

/// The act of the engine for an operation that a dead daemon left unfinished, or with a failed
/// step.
enum class OnRecovery {
    undo,  ///< undo the intended steps, unless `committed` reports success
    rerun, ///< undo the intended steps, then run the whole plan; live: only the undone steps, once
};

/// A verb as a list of steps. The plan at recovery is rebuilt from the operation's arguments.
struct Plan {
    std::vector<Step> steps;
    /// The first `commit` steps lie before the commit point: when one of them fails, the engine
    /// undoes the steps begun. The later steps are never undone: the engine tries a failed one once
    /// more and then reports its failure.
    std::size_t commit = 0;
    /// The caller is answered after the first `answer` steps. The others run in the background,
    /// with the resource still locked.
    std::size_t answer = 0;
    OnRecovery on_recovery = OnRecovery::undo;
    /// Recovery calls it when the last step before the commit point was intended: whether the
    /// operation came about. Empty: it never did. An error: the state is unknown, so recovery
    /// neither does nor undoes anything now.
    std::function<Result<bool>()> committed;
    /// Sentences for the caller, one for each part of the request that will not hold although the
    /// operation succeeds.
    std::vector<std::string> warnings;
    /// Called with the reason of a failure, after the undo and before the caller is answered; not
    /// for a cancel. May be empty.
    std::function<Status(const Error&)> failed;
};

/// Whether the plan has to be completed from its step `index` on: it can no longer be undone or
/// cancelled.
[[nodiscard]] inline bool must_be_done(const Plan& plan, std::size_t index) {
    return index >= plan.commit || plan.on_recovery == OnRecovery::rerun;
}

} // namespace lodge::daemon
