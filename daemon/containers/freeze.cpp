#include "daemon/containers/plans.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace lodge::daemon {

namespace {

// A process that waits in the kernel, for a dead FUSE server or a disk, cannot be held. The caller
// gets an error, and the other processes run on.
constexpr auto kFreezeDeadline = std::chrono::seconds(10);

model::State state_of(bool frozen) {
    return frozen ? model::State::frozen : model::State::running;
}

Status set_frozen(const Parts& parts, const std::string& group, bool frozen) {
    RETURN_IF_ERROR(parts.groups.freeze(group, frozen));
    return parts.groups.wait_frozen(group, frozen, Deadline::after(kFreezeDeadline));
}

// Writes only the state. An exit meanwhile is collected after this operation.
Status record(const Parts& parts, const Uuid& uuid, bool frozen) {
    ASSIGN_OR_RETURN(model::Container container, parts.containers.find(uuid));
    container.state = state_of(frozen);
    RETURN_IF_ERROR(parts.containers.update_state(container, parts.boot_id));
    parts.announce(container, frozen ? "frozen" : "thawed");
    return {};
}

// A write that reported a failure may have happened. A row with another state is left unchanged.
Status undo_record(const Parts& parts, const Uuid& uuid, bool frozen) {
    auto container = parts.containers.find(uuid);
    if (!container) {
        return container.error().code() == ErrorCode::not_found
                   ? Status{}
                   : std::unexpected<Error>(container.error());
    }
    if (container->state != state_of(frozen)) {
        return {};
    }
    container->state = state_of(!frozen);
    return parts.containers.update_state(*container, parts.boot_id);
}

// The undo does not wait: the kernel completes it as soon as it can.
Plan plan_for(const Parts& parts, const model::Container& container, bool frozen) {
    const std::string group = Parts::group_of(container);
    Plan plan;
    plan.steps.push_back({frozen ? "freeze" : "thaw",
                          [&parts, group, frozen] { return set_frozen(parts, group, frozen); },
                          [&parts, group, frozen] { return parts.groups.freeze(group, !frozen); }});
    plan.steps.push_back(
        {"record",
         [&parts, uuid = container.uuid, frozen] { return record(parts, uuid, frozen); },
         [&parts, uuid = container.uuid, frozen] { return undo_record(parts, uuid, frozen); }});
    plan.commit = plan.answer = plan.steps.size();
    plan.committed = [&parts, uuid = container.uuid, frozen]() -> Result<bool> {
        ASSIGN_OR_RETURN(const auto now, parts.containers.state(uuid));
        return now == state_of(frozen);
    };
    return plan;
}

} // namespace

Plan freeze_plan(const Parts& parts, const model::Container& container) {
    return plan_for(parts, container, true);
}

Plan thaw_plan(const Parts& parts, const model::Container& container) {
    return plan_for(parts, container, false);
}

} // namespace lodge::daemon
