#include "daemon/recovery/recovery.hpp"

#include "daemon/images/template_service.hpp"
#include "daemon/records/files.hpp"
#include "daemon/recovery/execute.hpp"
#include "daemon/recovery/unfinished.hpp"
#include "lib/base/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>

namespace lodge::daemon {

namespace {

using Act = RecoveryStep::Act;

void tell(const Parts& parts, const RecoveryStep& step) {
    parts.events.publish(
        {.kind = "daemon", .resource = step.subject, .what = "found", .detail = step.why});
}

// Calls `go_on` with those operations whose step is `act`, in the order of the steps. An operation
// without a plan is reported instead.
void take_up_seen(const Inventory& seen,
                  Act act,
                  std::vector<RecoveryStep>& steps,
                  const std::function<Status(const LoggedOperation&)>& go_on) {
    for (RecoveryStep& step : steps) {
        const auto left = std::find_if(
            seen.unfinished.begin(), seen.unfinished.end(), [&](const LoggedOperation& one) {
                return step.act == act && one.id == step.uuid;
            });
        if (left == seen.unfinished.end()) {
            continue;
        }
        if (const Status gone_on = go_on(*left); !gone_on) {
            step.act = Act::report;
            step.why = gone_on.error().message();
        }
    }
}

void announce_end(const Parts& parts, const RecoveryReport& report) {
    const auto taken_up = static_cast<std::size_t>(std::count_if(
        report.outcomes.begin(), report.outcomes.end(), [](const RecoveryOutcome& outcome) {
            return outcome.step.act == Act::take_up && !outcome.error;
        }));
    parts.events.publish({.kind = "daemon",
                          .resource = "lodged",
                          .what = "recovered",
                          .detail = "took up " + std::to_string(taken_up) + ", saw to " +
                                    std::to_string(report.outcomes.size() - taken_up) +
                                    " other things in " + std::to_string(report.took_ms) + " ms"});
}

} // namespace

Result<RecoveryReport> recover(const Parts& parts, OperationEngine& engine, OperationLog& log) {
    const std::int64_t began = boottime_ms();
    RecoveryReport report;
    Inventory before;
    ASSIGN_OR_RETURN(before.unfinished, log.unfinished());
    std::vector<RecoveryStep> unfinished = plan_recovery(before);
    take_up_seen(
        before, Act::finish_operation, unfinished, [&](const LoggedOperation& left) -> Status {
            ASSIGN_OR_RETURN(Plan plan, plan_of(parts, left, forced_order_of(left)));
            engine.recover(left, std::move(plan));
            return {};
        });
    ASSIGN_OR_RETURN(Look look, look_around(parts));
    ASSIGN_OR_RETURN(const auto still_there, log.unfinished());
    look.inventory.left = names_of(still_there);
    const Means means{
        .parts = parts,
        .look = look,
        .drop_image =
            [&parts](const std::string& digest) { return remove_unclaimed_image(parts, digest); },
        .at_start = true};
    for (const RecoveryStep& step : plan_recovery(look.inventory)) {
        report.outcomes.push_back(carry_out(means, step));
    }
    complete_records(parts); // while no row changes: resumed operations run beside this
    take_up_seen(
        before, Act::resume_operation, unfinished, [&](const LoggedOperation& left) -> Status {
            ASSIGN_OR_RETURN(Plan plan, plan_of(parts, left, whole_order_of(left)));
            engine.resume(left, std::move(plan));
            return {};
        });
    for (const RecoveryStep& step : unfinished) {
        report.outcomes.push_back({step, {}}); // the engine tells how it goes
        if (step.act == Act::report) {
            tell(parts, step);
        }
    }
    report.took_ms = boottime_ms() - began;
    announce_end(parts, report);
    return report;
}

} // namespace lodge::daemon
