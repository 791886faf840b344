// The execution of a plan: its steps, their undo, and the end of operations that a dead daemon
// left.
#include "daemon/operations/running.hpp"
#include "lib/base/contained.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lodge::daemon {

namespace {

// Whether a second attempt is useless: it would wait until its deadline again, or the operation was
// cancelled.
bool is_final(const Error& error) {
    return error.code() == ErrorCode::timeout || error.code() == ErrorCode::busy ||
           error.code() == ErrorCode::cancelled;
}

// The request's container was found before the operation began. So not_found and permission_denied
// of a step concern an object below it. The caller must not read them as "there is no such
// container".
Status seen_from_above(Status status) {
    if (status || (status.error().code() != ErrorCode::not_found &&
                   status.error().code() != ErrorCode::permission_denied)) {
        return status;
    }
    return std::unexpected<Error>(std::move(status).error().with_code(ErrorCode::kernel));
}

std::size_t first_undone(const Plan& plan) {
    const auto undone = [](const Step& step) { return static_cast<bool>(step.undo); };
    return static_cast<std::size_t>(std::distance(
        plan.steps.begin(), std::find_if(plan.steps.begin(), plan.steps.end(), undone)));
}

std::string what_of(const OperationView& view) {
    return view.verb + " '" + view.resource + "'";
}

} // namespace

void OperationEngine::run(const RunningPtr& operation) {
    announce(operation);
    Status status = perform(operation);
    if (operation->left) {
        leave(operation);
        return;
    }
    if (!status) {
        note_failure(operation->plan, status.error(), what_of(operation->view));
    }
    answer(operation, status);
    const Plan& plan = operation->plan;
    if (status && !complete(operation->view.id, plan, plan.answer, what_of(operation->view))) {
        leave(operation); // it fails only when lodged ends
        return;
    }
    end_log(operation);
    operation->plan = {}; // frees keys and descriptors of the steps
    release(operation);
}

void OperationEngine::note_failure(const Plan& plan, const Error& error, const std::string& what) {
    if (!plan.failed || error.code() == ErrorCode::cancelled) {
        return;
    }
    if (const Status noted = contained([&] { return plan.failed(error); }); !noted) {
        parts_.warn("note why " + what + " failed: " + noted.error().to_string() + ", ignoring");
    }
}

void OperationEngine::end_log(const RunningPtr& operation) {
    if (const Status ended = parts_.log.end(operation->view.id); !ended) {
        parts_.warn("close the log of " + operation->view.verb + ": " + ended.error().to_string() +
                    ", ignoring");
    }
}

// Leaves the operation as a killed daemon does: the log has the steps that it began.
void OperationEngine::leave(const RunningPtr& operation) {
    operation->plan = {};
    parts_.warn(what_of(operation->view) + ": left to the next start");
    release(operation);
}

// Runs the steps before the answer, which decide between success and failure. After a failed step
// it undoes the steps before the commit point. A step that must be done is tried once more.
Status OperationEngine::perform(const RunningPtr& operation) {
    const Plan& plan = operation->plan;
    const std::string what = what_of(operation->view);
    std::size_t tried_twice = 0; // steps before this index
    for (std::size_t index = 0; index < plan.answer;) {
        const Status status = attempt(operation, index);
        if (operation->left) {
            return status;
        }
        if (status) {
            ++index;
            continue;
        }
        if (index < plan.commit) {
            undo(plan, index + 1, what);
        }
        if (!must_be_done(plan, index) || index < tried_twice || is_final(status.error())) {
            return with_context(seen_from_above(status), what);
        }
        warn_of_retry(what, plan.steps[index], status.error());
        tried_twice = index + 1;
        index = std::min(index, first_undone(plan));
    }
    return {};
}

// Performs a step, unless the operation was cancelled or the daemon ends.
Status OperationEngine::attempt(const RunningPtr& operation, std::size_t index) {
    bool cancelled = false;
    {
        const std::lock_guard guard(lock_);
        if (leaving_) {
            operation->left = true;
            return fail(ErrorCode::unreachable, "lodged ends");
        }
        operation->view.cancellable = !must_be_done(operation->plan, index);
        cancelled = operation->cancel_asked && operation->view.cancellable;
        if (cancelled) {
            operation->view.error = Error(ErrorCode::cancelled, "cancelled on request");
        }
    }
    if (cancelled) {
        return fail(ErrorCode::cancelled, operation->view.verb + " was cancelled");
    }
    Status done = perform_step(operation, index);
    if (!done && done.error().code() == ErrorCode::cancelled) {
        const std::lock_guard guard(lock_);
        // The events close before end() begins: a step that watches them may return `cancelled`
        // before it.
        operation->left = !operation->cancel_asked && (stopping_ || parts_.events.closed());
    }
    return done;
}

void OperationEngine::warn_of_retry(const std::string& what, const Step& step, const Error& error) {
    parts_.warn(what + ": " + step.id().to_string() + ": " + error.to_string() +
                ", trying once more");
}

Status OperationEngine::perform_step(const RunningPtr& operation, std::size_t index) {
    const Step& step = operation->plan.steps[index];
    {
        const std::lock_guard guard(lock_);
        operation->view.step = step.id().to_string();
    }
    return act(operation->view.id, step);
}

Status OperationEngine::act(const Uuid& operation, const Step& step) {
    RETURN_IF_ERROR(parts_.log.intend(operation, step.id()));
    return contained(step.perform);
}

void OperationEngine::undo(const Plan& plan, std::size_t steps, const std::string& what) {
    for (std::size_t index = steps; index-- > 0;) {
        const Step& step = plan.steps[index];
        if (!step.undo) {
            continue;
        }
        if (const Status undone = contained(step.undo); !undone) {
            parts_.warn(what + ": undo of " + step.id().to_string() + ": " +
                        undone.error().to_string() + ", ignoring");
        }
    }
}

// Runs the steps from `from` on, each at most twice. A clean-up that fails behind the answer is
// left to the next verb or the next check of the host.
Status OperationEngine::complete(const Uuid& operation,
                                 const Plan& plan,
                                 std::size_t from,
                                 const std::string& what) {
    for (std::size_t index = from; index < plan.steps.size(); ++index) {
        if (leaving()) {
            return fail(ErrorCode::unreachable, "lodged ends");
        }
        const Step& step = plan.steps[index];
        Status done = act(operation, step); // logs its intent too: this daemon may die
        if (!done && !is_final(done.error())) {
            warn_of_retry(what, step, done.error());
            done = act(operation, step);
        }
        if (!done && index < plan.answer) {
            return done;
        }
        if (!done) {
            parts_.warn(what + ": " + done.error().to_string() + ", ignoring");
        }
    }
    return {};
}

void OperationEngine::recover(const LoggedOperation& left, Plan plan) {
    const std::string what = left.verb + " '" + left.resource + "'";
    const auto was_intended = [&](const Step& step) {
        return std::find(left.intended.begin(), left.intended.end(), step.id()) !=
               left.intended.end();
    };
    const bool reached_commit = plan.commit > 0 && was_intended(plan.steps[plan.commit - 1]);
    Result<bool> committed = false;
    if (reached_commit && plan.committed) {
        committed = plan.committed();
    }
    if (!committed) {
        leave_to_next_start(left, committed.error());
        return;
    }
    const bool came_about = *committed || plan.on_recovery == OnRecovery::rerun;
    std::size_t from = plan.steps.size();
    if (came_about) {
        from = *committed ? plan.commit : 0;
    }
    if (!*committed) {
        std::size_t intended = 0;
        while (intended < plan.commit && was_intended(plan.steps[intended])) {
            ++intended;
        }
        undo(plan, intended, what);
    }
    const Status done = complete(left.id, plan, from, what);
    if (!done) {
        leave_to_next_start(left, done.error());
        return;
    }
    if (const Status ended = parts_.log.end(left.id); !ended) {
        parts_.warn("close the log of " + what + ": " + ended.error().to_string() + ", ignoring");
    }
    parts_.events.publish({.kind = "daemon",
                           .resource = left.resource,
                           .what = came_about ? "completed" : "undone",
                           .detail = left.verb});
}

void OperationEngine::leave_to_next_start(const LoggedOperation& left, const Error& why) {
    parts_.warn("recovery of " + left.verb + " '" + left.resource + "': " + why.to_string() +
                ", left to the next start");
    parts_.events.publish(
        {.kind = "daemon", .resource = left.resource, .what = "unfinished", .detail = left.verb});
}

} // namespace lodge::daemon
