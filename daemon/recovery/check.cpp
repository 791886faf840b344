#include "daemon/recovery/check.hpp"

#include "daemon/containers/logged_verb.hpp"
#include "daemon/recovery/execute.hpp"
#include "daemon/recovery/unfinished.hpp"
#include "lib/base/clock.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

namespace lodge::daemon {

namespace {

using Act = RecoveryStep::Act;
using State = Finding::State;

constexpr const char* kVerb = "repair";
constexpr const char* kRepairs = "host check"; // no container's name

State state_of(const RecoveryOutcome& outcome, bool repair) {
    if (outcome.step.act == Act::report) {
        return State::found;
    }
    if (!repair) {
        return State::mendable;
    }
    return outcome.error ? State::unmended : State::mended;
}

// Whether the list has that step. The reasons of two looks may differ.
bool has(const std::vector<RecoveryStep>& steps, const RecoveryStep& step) {
    return std::any_of(steps.begin(), steps.end(), [&](const RecoveryStep& other) {
        return other.act == step.act && other.uuid == step.uuid && other.subject == step.subject;
    });
}

// A start finishes the operations of a dead daemon. Here a write to the log has failed.
void report_forgotten(const std::vector<LoggedOperation>& forgotten,
                      std::vector<RecoveryStep>& steps) {
    for (const LoggedOperation& left : forgotten) {
        const Status known = check_logged(left);
        steps.push_back({.act = Act::report,
                         .uuid = left.id,
                         .subject = left.resource,
                         .why = known ? "its " + left.verb +
                                            " is unfinished in the log, and nothing is at work "
                                            "on it; the next start of lodged sees to it"
                                      : known.error().message()});
    }
}

} // namespace

std::string_view to_string(State state) noexcept {
    constexpr std::array<std::string_view, 4> kNames{"mendable", "mended", "unmended", "found"};
    return kNames[static_cast<std::size_t>(state)];
}

std::vector<RecoveryStep> seen_twice(const std::vector<RecoveryStep>& first,
                                     std::vector<RecoveryStep> second) {
    std::erase_if(second, [&](const RecoveryStep& step) { return !has(first, step); });
    return second;
}

// Takes the locks inside, so that their other holders are among the holders.
Result<HostCheck::Seen> HostCheck::look(Course& course, const Seen* to_lock) {
    Seen seen;
    std::vector<LoggedOperation> logged;
    const auto looking = [&]() -> Status {
        if (to_lock != nullptr) {
            RETURN_IF_ERROR(lock(course, *to_lock));
        }
        ASSIGN_OR_RETURN(seen.look, look_around(parts_));
        ASSIGN_OR_RETURN(logged, log_.unfinished());
        return {};
    };
    ASSIGN_OR_RETURN(const std::vector<Holder> holders, engine_.held_during(looking));
    std::set<Uuid> own;
    for (const Hold& lock : course.locks) {
        own.insert(lock->id);
    }
    std::set<Uuid> living;
    std::set<std::string>& held = seen.look.inventory.held;
    for (const Holder& holder : holders) {
        living.insert(holder.id);
        if (own.contains(holder.id)) {
            continue;
        }
        course.busy.emplace(holder.id, holder);
        held.insert(holder.resource);
        if (const auto verb = parse_arguments(holder.arguments)) { // a create has no row to tell it
            held.insert(verb->container.to_string());
        }
    }
    std::erase_if(logged, [&](const LoggedOperation& one) { return living.contains(one.id); });
    seen.look.inventory.left = names_of(logged);
    seen.steps = plan_recovery(seen.look.inventory);
    report_forgotten(logged, seen.steps);
    return seen;
}

// A thing without a row needs no lock: a create has a new UUID, and images have the services' own
// lock.
Status HostCheck::lock(Course& course, const Seen& seen) {
    std::set<std::string> names;
    for (const RecoveryStep& step : seen.steps) {
        const auto row = seen.look.inventory.rows.find(step.uuid);
        if (step.act != Act::report && row != seen.look.inventory.rows.end()) {
            names.insert(row->second.container.spec.name);
        }
    }
    for (const std::string& name : names) {
        auto lock = engine_.hold(kVerb, name);
        if (lock) {
            course.locks.push_back(std::move(*lock));
        } else if (lock.error().code() != ErrorCode::busy) {
            return std::unexpected<Error>(lock.error());
        }
    }
    return {};
}

std::vector<Finding> HostCheck::act_on(Seen& seen, bool repair) {
    const Means means{
        .parts = parts_, .look = seen.look, .drop_image = [this](const std::string& digest) {
            return templates_.drop_image(digest);
        }};
    std::vector<Finding> findings;
    for (const RecoveryStep& step : seen.steps) {
        RecoveryOutcome outcome = repair ? carry_out(means, step) : RecoveryOutcome{step, {}};
        const State state = state_of(outcome, repair);
        findings.push_back({.outcome = std::move(outcome), .state = state});
    }
    return findings;
}

Status HostCheck::look_after(Course& course, std::vector<Finding>& findings) {
    ASSIGN_OR_RETURN(const Seen after, look(course, nullptr));
    for (Finding& finding : findings) {
        if (finding.state == State::mended && has(after.steps, finding.outcome.step)) {
            finding.state = State::unmended;
            finding.outcome.error =
                Error(ErrorCode::invalid_state, "it was mended, and is so again");
        }
    }
    return {};
}

Result<CheckReport> HostCheck::run(bool repair) {
    const std::int64_t began = boottime_ms();
    Course course;
    if (repair) {
        ASSIGN_OR_RETURN(Hold alone, engine_.hold(kVerb, kRepairs));
        course.locks.push_back(std::move(alone));
    }
    ASSIGN_OR_RETURN(Seen seen, look(course, nullptr));
    if (!seen.steps.empty()) {
        ASSIGN_OR_RETURN(Seen again, look(course, repair ? &seen : nullptr));
        again.steps = seen_twice(seen.steps, std::move(again.steps));
        seen = std::move(again);
    }
    CheckReport report{.findings = act_on(seen, repair)};
    if (repair && !report.findings.empty()) {
        RETURN_IF_ERROR(look_after(course, report.findings));
    }
    for (auto& [id, holder] : course.busy) {
        report.busy.push_back(std::move(holder));
    }
    report.took_ms = boottime_ms() - began;
    return report;
}

} // namespace lodge::daemon
