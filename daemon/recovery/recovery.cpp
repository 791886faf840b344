#include "daemon/recovery/recovery.hpp"

#include "daemon/containers/plans.hpp"
#include "daemon/images/template_service.hpp"
#include "daemon/recovery/execute.hpp"
#include "lib/base/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace lodge::daemon {

namespace {

// The row of an operation's container, or as much of it as names need when the row is gone.
model::Container row_or_name(const Parts& parts, const LoggedOperation& left) {
    model::Container nameless;
    if (const auto uuid = Uuid::parse(left.arguments)) {
        if (auto container = parts.containers.find(*uuid)) {
            return std::move(*container);
        }
        nameless.uuid = *uuid;
    }
    nameless.spec.name = left.resource;
    nameless.spec.encryption = model::Encryption::none;
    nameless.mac_address = network::mac_address_of(nameless.uuid);
    return nameless;
}

Plan plan_of(const Parts& parts, const LoggedOperation& left) {
    if (left.verb.rfind("template", 0) == 0) {
        return template_recovery_plan(parts, left);
    }
    if (left.verb == "host shutdown") {
        return {}; // its stops are operations of their own
    }
    const model::Container container = row_or_name(parts, left);
    if (left.verb == "create") {
        return create_plan(parts, container, nullptr);
    }
    if (left.verb == "create+start") {
        // What was asked for as one is undone as one, unless the container runs.
        Plan plan =
            followed_by(create_plan(parts, container, nullptr), start_plan(parts, container));
        plan.on_recovery = OnRecovery::undo;
        return plan;
    }
    if (left.verb == "start") {
        return start_plan(parts, container);
    }
    if (left.verb == "freeze" || left.verb == "thaw") {
        return left.verb == "freeze" ? freeze_plan(parts, container) : thaw_plan(parts, container);
    }
    if (left.verb == "set") {
        return set_plan(parts, container, container.spec); // the row counts, old or new
    }
    const StopOrder order{.force = true,
                          .unasked = left.verb == "collect",
                          .with_host = left.verb == "stop with host"};
    if (left.verb == "restart") {
        return restart_plan(parts, container, order);
    }
    if (left.verb == "destroy") {
        return destroy_plan(parts, container);
    }
    return stop_plan(parts, container, order);
}

void finish(const Parts& parts,
            OperationEngine& engine,
            const Inventory& seen,
            const RecoveryStep& step) {
    for (const LoggedOperation& left : seen.unfinished) {
        if (left.id == step.uuid) {
            engine.recover(left, plan_of(parts, left));
        }
    }
}

void announce_end(const Parts& parts, const RecoveryReport& report) {
    const auto taken_up = static_cast<std::size_t>(std::count_if(
        report.outcomes.begin(), report.outcomes.end(), [](const RecoveryOutcome& outcome) {
            return outcome.step.act == RecoveryStep::Act::take_up && !outcome.error;
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
    for (const RecoveryStep& step : plan_recovery(before)) {
        finish(parts, engine, before, step);
        report.outcomes.push_back({step, {}}); // the engine tells how it went
    }
    ASSIGN_OR_RETURN(Look look, look_around(parts));
    const Means means{
        .parts = parts,
        .look = look,
        .drop_image =
            [&parts](const std::string& digest) { return remove_unclaimed_image(parts, digest); },
        .at_start = true};
    for (const RecoveryStep& step : plan_recovery(look.inventory)) {
        report.outcomes.push_back(carry_out(means, step));
    }
    report.took_ms = boottime_ms() - began;
    announce_end(parts, report);
    return report;
}

} // namespace lodge::daemon
