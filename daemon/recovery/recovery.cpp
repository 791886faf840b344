#include "daemon/recovery/recovery.hpp"

#include "daemon/containers/logged_verb.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/images/template_service.hpp"
#include "daemon/records/files.hpp"
#include "daemon/recovery/execute.hpp"
#include "lib/base/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace lodge::daemon {

namespace {

using Act = RecoveryStep::Act;

// The row of an operation's container, or as much of it as names need when the row is gone.
model::Container row_or_name(const Parts& parts, const LoggedOperation& left) {
    model::Container nameless;
    if (const auto verb = parse_arguments(left.arguments)) {
        if (auto container = parts.containers.find(verb->container)) {
            return std::move(*container);
        }
        nameless.uuid = verb->container;
    }
    nameless.spec.name = left.resource;
    nameless.spec.encryption = model::Encryption::none;
    nameless.mac_address = network::mac_address_of(nameless.uuid);
    return nameless;
}

// How the stop was asked for, except that init is not asked again.
StopOrder stop_order_of(const LoggedOperation& left) {
    return {.unasked = left.verb == "collect", .with_host = left.verb == "stop with host"};
}

Plan plan_of(const Parts& parts, const LoggedOperation& left, const StopOrder& order) {
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
    if (left.verb == "restart") {
        return restart_plan(parts, container, order);
    }
    if (left.verb == "destroy") {
        return destroy_plan(parts, container);
    }
    return stop_plan(parts, container, order);
}

// Init gets the whole of its time anew: nobody noted how much of it was left.
StopOrder whole_order_of(const LoggedOperation& left) {
    StopOrder order = stop_order_of(left);
    if (const auto verb = parse_arguments(left.arguments)) {
        order.halt_timeout = verb->halt_timeout;
    }
    return order;
}

// Those of the operations about which `plan` says `act`, in its order.
std::vector<LoggedOperation>
those_to(Act act, const std::vector<RecoveryStep>& plan, const Inventory& seen) {
    std::vector<LoggedOperation> chosen;
    for (const RecoveryStep& step : plan) {
        std::copy_if(
            seen.unfinished.begin(),
            seen.unfinished.end(),
            std::back_inserter(chosen),
            [&](const LoggedOperation& left) { return step.act == act && left.id == step.uuid; });
    }
    return chosen;
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
    const std::vector<RecoveryStep> unfinished = plan_recovery(before);
    for (const RecoveryStep& step : unfinished) {
        report.outcomes.push_back({step, {}}); // the engine tells how it goes
    }
    for (const LoggedOperation& left : those_to(Act::finish_operation, unfinished, before)) {
        engine.recover(left, plan_of(parts, left, stop_order_of(left)));
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
    complete_records(parts); // as long as no row changes: what is resumed runs beside us
    for (const LoggedOperation& left : those_to(Act::resume_operation, unfinished, before)) {
        engine.resume(left, plan_of(parts, left, whole_order_of(left)));
    }
    report.took_ms = boottime_ms() - began;
    announce_end(parts, report);
    return report;
}

} // namespace lodge::daemon
