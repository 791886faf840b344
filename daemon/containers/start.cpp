#include "daemon/containers/end_processes.hpp"
#include "daemon/containers/host_name.hpp"
#include "daemon/containers/hosts_file.hpp"
#include "daemon/containers/limits.hpp"
#include "daemon/containers/mend_network.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/records/files.hpp"

#include <ctime>
#include <utility>

namespace lodge::daemon {

namespace {

// The values that the steps of one start pass on.
struct Starting {
    model::Container container;
    templates::Template made_of;
    storage::OpenVolume volume;
    UniqueFd group;
    std::unique_ptr<StartingContainer> clone;
    std::unique_ptr<Monitor> monitor;
    InitProcess init;
};

Status open_volume(const Parts& parts, Starting& starting) {
    const model::Container& container = starting.container;
    ASSIGN_OR_RETURN(const auto key, parts.key_of(container, container.root()));
    ASSIGN_OR_RETURN(
        starting.volume,
        parts.driver_of(container).open(parts.volume_of(container, container.root()), key));
    // A full disk must not keep a container from starting.
    if (const Status renewed = renew_host_name(starting.volume.filesystem.get(),
                                               Parts::tree_of(container),
                                               container.spec.hostname,
                                               address_texts(container));
        !renewed) {
        parts.warn("start '" + container.spec.name +
                   "': write its host name: " + renewed.error().to_string() + ", ignoring");
    }
    return {};
}

Status make_group(const Parts& parts, Starting& starting) {
    const model::Container& container = starting.container;
    const cgroup::Limits limits =
        limits_for(parts, container.spec.resources, "start '" + container.spec.name + "'");
    ASSIGN_OR_RETURN(starting.group,
                     parts.groups.create(Parts::group_of(container), limits, container.uid_base));
    return {};
}

// The monitor makes the clone while we open its volume.
Status spawn(const Parts& parts, Starting& starting) {
    const model::Container& container = starting.container;
    ASSIGN_OR_RETURN(starting.made_of, parts.templates.find(container.spec.template_name));
    // A stop may have left its monitor.
    RETURN_IF_ERROR(parts.runtime.discard(container.uuid));
    ASSIGN_OR_RETURN(
        starting.clone,
        parts.runtime.begin({.uuid = container.uuid,
                             .name = container.spec.name,
                             .hostname = container.spec.hostname,
                             .uid_base = container.uid_base,
                             .shared_root = container.spec.rootfs == model::Rootfs::shared,
                             .cgroup_fd = starting.group.get(),
                             .init = {starting.made_of.init},
                             .halt_signal = starting.made_of.halt_signal}));
    return {};
}

Status build(const Parts& parts, Starting& starting) {
    const model::Container& container = starting.container;
    kernel::MountFd lower;
    if (container.spec.rootfs == model::Rootfs::shared) {
        ASSIGN_OR_RETURN(lower, parts.store.mount(container.template_digest));
    }
    RETURN_IF_ERROR(starting.clone->build(
        {.volume_fd = starting.volume.filesystem.get(), .lower_fd = lower.get()}));
    starting.init = starting.clone->init();
    return {};
}

Status finish(Starting& starting) {
    ASSIGN_OR_RETURN(starting.monitor, starting.clone->finish());
    starting.clone.reset();
    starting.volume.filesystem.reset(); // the container's own mounts hold it from here on
    return {};
}

Status record(const Parts& parts, Starting& starting) {
    // Read again: in a restart the stop has written how init ended.
    ASSIGN_OR_RETURN(model::Container container, parts.containers.find(starting.container.uuid));
    container.state = model::State::running;
    container.init_pid = starting.init.pid;
    container.init_start_time = starting.init.start_time;
    container.started_at = static_cast<std::int64_t>(::time(nullptr));
    container.broken_why.clear();
    container.start_at.reset();
    container.resume = false;
    container.last_error.clear();
    RETURN_IF_ERROR(parts.containers.update_state(container, parts.boot_id));
    note_up(parts, container);
    parts.monitors.put(container.uuid, std::move(starting.monitor));
    parts.announce(container, "running");
    return {};
}

// A write that reported a failure may have happened.
Status undo_record(const Parts& parts, const Uuid& uuid) {
    auto container = parts.containers.find(uuid);
    if (!container) {
        return container.error().code() == ErrorCode::not_found
                   ? Status{}
                   : std::unexpected<Error>(container.error());
    }
    container->state = model::State::stopped;
    container->init_pid.reset();
    container->init_start_time.reset();
    RETURN_IF_ERROR(parts.containers.update_state(*container, parts.boot_id));
    note_up(parts, *container);
    return {};
}

// Records why the container does not run. A create that is undone has no row any more.
Status note_failure(const Parts& parts, const Uuid& uuid, const Error& error) {
    return parts.containers.note_error(uuid, error.message());
}

Result<bool> is_recorded(const Parts& parts, const Uuid& uuid) {
    ASSIGN_OR_RETURN(const auto state, parts.containers.state(uuid));
    return state && *state != model::State::stopped;
}

Status undo_group(const Parts& parts, const model::Container& container) {
    RETURN_IF_ERROR(end_processes(parts, container));
    return parts.groups.remove(Parts::group_of(container));
}

// A running init may outlive its monitor, and its mounts hold the volume that is closed next.
Status undo_clone(const Parts& parts, Starting& starting) {
    starting.clone.reset();
    starting.monitor.reset();
    const Status discarded = parts.runtime.discard(starting.container.uuid);
    RETURN_IF_ERROR(end_processes(parts, starting.container));
    return discarded;
}

// The firewall does not check a card that it does not know, so `admit` comes before `attach`.
void add_card(Plan& plan,
              const Parts& parts,
              const std::shared_ptr<Starting>& starting,
              const model::Card& card) {
    const network::Nic nic = parts.nic_of(card);
    plan.steps.push_back({"admit",
                          [&parts, starting, nic]() -> Status {
                              RETURN_IF_ERROR(parts.check_addresses(starting->container));
                              return parts.firewall.admit(nic);
                          },
                          [&parts, nic] { return parts.firewall.expel(nic.host_name()); },
                          card.name()});
    plan.steps.push_back({"attach",
                          [&parts, starting, nic]() -> Status {
                              RETURN_IF_ERROR(mend_network(parts));
                              return parts.links.attach(nic, starting->clone->card_end());
                          },
                          [&parts, nic] { return parts.links.detach(nic.host_name()); },
                          card.name()});
}

} // namespace

Plan start_plan(const Parts& parts, const model::Container& container) {
    const auto starting = std::make_shared<Starting>();
    starting->container = container;
    Plan plan;
    const auto discard = [&parts, starting] { return undo_clone(parts, *starting); };
    plan.steps.push_back({"group",
                          [&parts, starting] { return make_group(parts, *starting); },
                          [&parts, container] { return undo_group(parts, container); }});
    plan.steps.push_back(
        {"spawn", [&parts, starting] { return spawn(parts, *starting); }, discard});
    plan.steps.push_back({"open",
                          [&parts, starting] { return open_volume(parts, *starting); },
                          [&parts, starting]() -> Status {
                              const model::Container& own = starting->container;
                              starting->volume.filesystem.reset();
                              return parts.driver_of(own).close(parts.volume_of(own, own.root()));
                          },
                          container.root().name()});
    plan.steps.push_back(
        {"build", [&parts, starting] { return build(parts, *starting); }, discard});
    for (const model::Card& card : container.cards) {
        add_card(plan, parts, starting, card);
    }
    plan.steps.push_back({"finish", [starting] { return finish(*starting); }, {}});
    plan.steps.push_back({"record",
                          [&parts, starting] { return record(parts, *starting); },
                          [&parts, container] { return undo_record(parts, container.uuid); }});
    plan.commit = plan.answer = plan.steps.size();
    plan.committed = [&parts, container] { return is_recorded(parts, container.uuid); };
    plan.failed = [&parts, container](const Error& error) {
        return note_failure(parts, container.uuid, error);
    };
    return plan;
}

} // namespace lodge::daemon
