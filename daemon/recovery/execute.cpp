#include "daemon/recovery/execute.hpp"

#include "daemon/containers/kept_console.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/records/places.hpp"
#include "daemon/recovery/earlier_boots.hpp"

#include <chrono>
#include <utility>

namespace lodge::daemon {

namespace {

using Act = RecoveryStep::Act;

constexpr auto kKillDeadline = std::chrono::seconds(10);

Result<model::Container> row_of(const Means& means, const RecoveryStep& step) {
    const auto row = means.look.inventory.rows.find(step.uuid);
    if (row == means.look.inventory.rows.end()) {
        return fail(ErrorCode::internal, "recovery has no row of " + step.uuid.to_string());
    }
    return row->second.container;
}

MonitorSign sign_of(const Means& means, const Uuid& uuid) {
    const auto monitor = means.look.inventory.monitors.find(uuid);
    return monitor == means.look.inventory.monitors.end() ? MonitorSign::none
                                                          : monitor->second.sign;
}

Status admit_cards(const Parts& parts, const model::Container& container) {
    for (const model::Card& card : container.cards) {
        RETURN_IF_ERROR(parts.firewall.admit(parts.nic_of(card)));
    }
    return {};
}

Status take_up(const Means& means, const RecoveryStep& step) {
    ASSIGN_OR_RETURN(const model::Container container, row_of(means, step));
    means.parts.monitors.put(step.uuid, means.look.connections[step.uuid]);
    // Somebody may have flushed the firewall meanwhile, and it does not check a card that it does
    // not know.
    return admit_cards(means.parts, container);
}

Status stop(const Means& means, const RecoveryStep& step) {
    ASSIGN_OR_RETURN(const model::Container container, row_of(means, step));
    if (sign_of(means, step.uuid) == MonitorSign::silent) {
        // Each of its answers would be waited for.
        RETURN_IF_ERROR(means.parts.runtime.discard(step.uuid));
    }
    if (container.init_pid) {
        means.parts.announce(container, "crashed", step.why);
    }
    for (const Step& part : stop_plan(means.parts, container, {.unasked = true}).steps) {
        RETURN_IF_ERROR(part.perform());
    }
    return {};
}

// Removes the kernel objects of a container but its volumes, in the order of stop_plan(), which has
// the reasons. Without a row its cards are unknown: they are found by their names.
Status sweep(const Parts& parts, const model::Container& container) {
    const Uuid& uuid = container.uuid;
    const std::string group = Parts::group_of(container);
    RETURN_IF_ERROR(parts.groups.kill(group)); // of frozen processes too
    RETURN_IF_ERROR(parts.groups.wait_empty(group, Deadline::after(kKillDeadline)));
    parts.monitors.remove(uuid);
    RETURN_IF_ERROR(parts.runtime.discard(uuid));
    RETURN_IF_ERROR(parts.groups.remove(group));
    for (const model::Card& card : container.cards) {
        const std::string name = model::card_name(card.uuid);
        RETURN_IF_ERROR(parts.firewall.expel(name));
        RETURN_IF_ERROR(parts.links.detach(name));
    }
    return {};
}

Status mark_stopped(const Means& means, const RecoveryStep& step) {
    ASSIGN_OR_RETURN(model::Container container, row_of(means, step));
    RETURN_IF_ERROR(sweep(means.parts, container)); // a boot leaves nothing of it but, perhaps, RUN
    mark_booted_away(container);
    return means.parts.containers.update_state(container, means.parts.boot_id);
}

Status close_unclaimed(const Parts& parts, const Uuid& uuid) {
    const storage::Volume volume{.uuid = uuid, .directory = parts.settings.volume_directory(uuid)};
    return parts.volumes.at(storage::encryption_to_close_with(parts.volumes))->close(volume);
}

Status close_volumes(const Parts& parts, const model::Container& container) {
    for (const model::Disk& disk : container.disks) {
        RETURN_IF_ERROR(parts.driver_of(container).close(parts.volume_of(container, disk)));
    }
    return {};
}

Status close_volume(const Means& means, const RecoveryStep& step) {
    const auto container = row_of(means, step);
    return container ? close_volumes(means.parts, *container)
                     : close_unclaimed(means.parts, step.uuid);
}

Status remove_row(const Means& means, const RecoveryStep& step) {
    ASSIGN_OR_RETURN(const model::Container container, row_of(means, step));
    RETURN_IF_ERROR(sweep(means.parts, container));
    RETURN_IF_ERROR(close_volumes(means.parts, container));
    RETURN_IF_ERROR(remove_places(means.parts.settings, container));
    RETURN_IF_ERROR(forget_console(means.parts.settings.run_directory, step.uuid));
    return means.parts.containers.remove(step.uuid);
}

Status admit_card(const Means& means, const RecoveryStep& step) {
    ASSIGN_OR_RETURN(const model::Container container, row_of(means, step));
    return admit_cards(means.parts, container);
}

Status mend_card(const Means& means, const RecoveryStep& step) {
    ASSIGN_OR_RETURN(const model::Container container, row_of(means, step));
    for (const model::Card& card : container.cards) {
        if (means.look.inventory.card_faults.contains(model::card_name(card.uuid))) {
            RETURN_IF_ERROR(means.parts.links.reattach(means.parts.nic_of(card)));
        }
    }
    return {};
}

Status perform(const Means& means, const RecoveryStep& step) {
    const Parts& parts = means.parts;
    switch (step.act) {
    case Act::take_up:
        return take_up(means, step);
    case Act::freeze:
    case Act::thaw:
        return parts.groups.freeze(Parts::group_of({.uuid = step.uuid}), step.act == Act::freeze);
    case Act::stop:
        return stop(means, step);
    case Act::mark_stopped:
        return mark_stopped(means, step);
    case Act::remove_row:
        return remove_row(means, step);
    case Act::sweep:
        return sweep(parts, {.uuid = step.uuid});
    case Act::mend_bridge:
        return parts.links.ensure_bridge(parts.settings.bridge_spec());
    case Act::mend_forwarding:
        return parts.links.ensure_forwarding(parts.settings.bridge);
    case Act::mend_firewall:
        return parts.firewall.ensure_tables(parts.settings.bridge_spec());
    case Act::mend_card:
        return mend_card(means, step);
    case Act::admit_card:
        return admit_card(means, step);
    case Act::remove_card:
        return parts.links.detach(step.subject);
    case Act::expel_card:
        return parts.firewall.expel(step.subject);
    case Act::close_volume:
        return close_volume(means, step);
    case Act::remove_directory:
        return remove_leavings(parts.settings, step.uuid);
    case Act::remove_image:
    case Act::unmount_image:
        return means.drop_image(step.subject);
    case Act::discard_work:
        return parts.store.discard(step.subject);
    case Act::forget_console:
        return forget_console(parts.settings.run_directory, step.uuid);
    case Act::finish_operation: // the engine's
    case Act::resume_operation:
    case Act::report:
        break;
    }
    return {};
}

void announce(const Parts& parts, const RecoveryOutcome& outcome) {
    const RecoveryStep& step = outcome.step;
    const bool told_only = step.act == Act::report;
    std::string detail = (told_only ? "" : std::string(to_string(step.act)) + ": ") + step.why;
    if (outcome.error) {
        detail += ": " + outcome.error->to_string();
    }
    parts.events.publish({.kind = "daemon",
                          .resource = step.subject,
                          .what = outcome.error ? "unmended"
                                  : told_only   ? "found"
                                                : "mended",
                          .detail = detail});
}

} // namespace

RecoveryOutcome carry_out(const Means& means, const RecoveryStep& step) {
    RecoveryOutcome outcome{step, {}};
    if (const Status done = perform(means, step); !done) {
        outcome.error = done.error();
    }
    if (outcome.error || step.act != Act::take_up || !means.at_start) {
        announce(means.parts, outcome);
    }
    return outcome;
}

} // namespace lodge::daemon
