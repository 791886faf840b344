#pragma once

#include "daemon/store/store.hpp"
#include "lib/base/error.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lodge::daemon {

/// One act of an operation. `undo` may be empty; where it is not, it works whether `perform` never
/// ran, half ran or ran, and may run again. Its intent is in the log before it acts.
struct Step {
    std::string name;
    std::function<Status()> perform;
    std::function<Status()> undo;
    std::string object; ///< which of several it is done to; see StepId

    [[nodiscard]] StepId id() const { return {name, object}; }
};

/// What to do with an operation that a dead daemon left unfinished, or of which a step failed.
enum class OnRecovery {
    undo,  ///< undo what was intended, unless `committed` says that it came about
    rerun, ///< undo what was intended, then run the whole plan; live: from what was undone on, once
};

/// A verb taken apart. The same plan, rebuilt from the operation's arguments, serves live and at
/// recovery.
struct Plan {
    std::vector<Step> steps;
    /// Number of steps whose failure, or that of an earlier one, undoes the operation. Later ones
    /// are not undone: they are tried once more, then their failure is reported.
    std::size_t commit = 0;
    /// Number of steps after which the caller is answered; the rest goes on in the background, with
    /// the resource still locked.
    std::size_t answer = 0;
    OnRecovery on_recovery = OnRecovery::undo;
    /// Asked at recovery when the last step before the commit was intended. Empty: never committed.
    /// Its error: nobody knows, so nothing is done or undone now.
    std::function<Result<bool>()> committed;
    /// Sentences on what will not be as it was asked for, though it succeeds; for the caller.
    std::vector<std::string> warnings;
    /// Told why it failed, once all is undone and before the caller hears of it; not of a cancel.
    /// May be empty.
    std::function<Status(const Error&)> failed;
};

/// Whether the plan goes on from its step `index` whatever happens: it can be neither undone nor
/// cancelled any more.
[[nodiscard]] inline bool must_be_done(const Plan& plan, std::size_t index) {
    return index >= plan.commit || plan.on_recovery == OnRecovery::rerun;
}

} // namespace lodge::daemon
