#include "daemon/recovery/recovery.hpp"

#include "daemon/containers/plans.hpp"
#include "daemon/images/template_service.hpp"
#include "daemon/records/places.hpp"
#include "lib/kernel/fs.hpp"

#include <chrono>
#include <map>
#include <set>
#include <utility>

namespace lodge::daemon {

namespace {

constexpr std::string_view kGroupPrefix = "ct-";
constexpr std::string_view kCardPrefix = "ve-"; // and twelve digits: Nic::host_name()

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

Status finish_operations(const Parts& parts, OperationEngine& engine, OperationLog& log) {
    ASSIGN_OR_RETURN(const auto unfinished, log.unfinished());
    for (const LoggedOperation& left : unfinished) {
        parts.warn("recovery: " + left.verb + " '" + left.resource + "' was left unfinished");
        engine.recover(left, plan_of(parts, left));
    }
    return {};
}

struct Look {
    std::map<Uuid, Sighting> sightings;
    std::map<Uuid, model::Container> rows;
    std::map<Uuid, std::shared_ptr<Monitor>> monitors;
};

Sighting& sighting_of(Look& look, const Uuid& uuid) {
    Sighting& seen = look.sightings[uuid];
    seen.uuid = uuid;
    return seen;
}

Status look_at_rows(const Parts& parts, Look& look) {
    ASSIGN_OR_RETURN(const auto published, parts.containers.list());
    ASSIGN_OR_RETURN(const auto all, parts.containers.list_all());
    for (const model::Container& container : all) {
        Sighting& seen = sighting_of(look, container.uuid);
        seen.has_row = true;
        seen.state = container.state;
        ASSIGN_OR_RETURN(const std::string boot, parts.containers.boot_id(container.uuid));
        seen.this_boot = boot == parts.boot_id;
        look.rows[container.uuid] = container;
    }
    for (const model::Container& container : published) {
        sighting_of(look, container.uuid).published = true;
    }
    return {};
}

Status look_at_monitors(const Parts& parts, Look& look) {
    ASSIGN_OR_RETURN(const auto monitors, parts.launcher.list());
    for (const Uuid& uuid : monitors) {
        Sighting& seen = sighting_of(look, uuid);
        auto monitor = parts.launcher.connect(uuid);
        if (!monitor && monitor.error().code() == ErrorCode::not_found) {
            RETURN_IF_ERROR(parts.launcher.discard(uuid)); // only the directory of a dead one
        }
        if (!monitor) {
            continue;
        }
        if (const auto status = (*monitor)->status()) {
            seen.has_monitor = true;
            seen.init_ended = status->exit.has_value();
            look.monitors[uuid] = std::move(*monitor);
        }
    }
    return {};
}

Status look_at_kernel(const Parts& parts, Look& look) {
    RETURN_IF_ERROR(look_at_monitors(parts, look));
    ASSIGN_OR_RETURN(const auto groups, parts.groups.list());
    for (const std::string& group : groups) {
        if (group.rfind(kGroupPrefix, 0) == 0) {
            if (const auto uuid =
                    Uuid::parse(std::string_view(group).substr(kGroupPrefix.size()))) {
                Sighting& seen = sighting_of(look, *uuid);
                seen.has_group = true;
                ASSIGN_OR_RETURN(seen.group_frozen, parts.groups.is_frozen(group));
            }
        }
    }
    const auto directory = kernel::open_directory(parts.settings.containers_directory());
    if (!directory) {
        return {};
    }
    return kernel::for_each_entry(directory->get(),
                                  [&](const std::string& name, unsigned char) -> Status {
                                      if (const auto uuid = Uuid::parse(name)) {
                                          sighting_of(look, *uuid).has_directory = true;
                                      }
                                      return {};
                                  });
}

Status run_now(const Plan& plan) {
    for (const Step& step : plan.steps) {
        RETURN_IF_ERROR(step.perform());
    }
    return {};
}

Status sweep(const Parts& parts, const Sighting& seen) {
    model::Container nameless;
    nameless.uuid = seen.uuid;
    const std::string group = Parts::group_of(nameless);
    RETURN_IF_ERROR(parts.groups.kill(group));
    RETURN_IF_ERROR(parts.groups.wait_empty(group, Deadline::after(std::chrono::seconds(10))));
    RETURN_IF_ERROR(parts.launcher.discard(seen.uuid));
    RETURN_IF_ERROR(parts.groups.remove(group));
    const network::Nic nic{.container = seen.uuid};
    RETURN_IF_ERROR(parts.links.detach(nic.host_name()));
    RETURN_IF_ERROR(parts.firewall.expel(nic.host_name()));
    if (!seen.has_row) {
        return remove_leavings(parts.settings, seen.uuid);
    }
    const auto directory = kernel::open_directory(parts.settings.containers_directory());
    return directory ? kernel::remove_tree_at(directory->get(), seen.uuid.to_string()) : Status{};
}

bool is_card_of_ours(const std::string& link) {
    return link.size() == kCardPrefix.size() + 12 && link.rfind(kCardPrefix, 0) == 0 &&
           link.find_first_not_of("0123456789abcdef", kCardPrefix.size()) == std::string::npos;
}

Result<std::set<std::string>> cards_in_use(const Parts& parts) {
    std::set<std::string> names;
    ASSIGN_OR_RETURN(const auto rows, parts.containers.list());
    for (const model::Container& row : rows) {
        if (row.state != model::State::stopped) {
            names.insert(parts.nic_of(row).host_name());
        }
    }
    return names;
}

// Cards and elements that no running container has: of these a group or a directory no longer
// tells.
Status sweep_cards(const Parts& parts) {
    ASSIGN_OR_RETURN(const auto in_use, cards_in_use(parts));
    ASSIGN_OR_RETURN(const auto links, parts.links.links(std::string(kCardPrefix)));
    for (const std::string& link : links) {
        if (is_card_of_ours(link) && !in_use.contains(link)) {
            RETURN_IF_ERROR(parts.links.detach(link));
        }
    }
    ASSIGN_OR_RETURN(const auto admitted, parts.firewall.admitted());
    for (const std::string& link : admitted) {
        if (!in_use.contains(link)) {
            RETURN_IF_ERROR(parts.firewall.expel(link));
        }
    }
    return {};
}

Status act(const Parts& parts, Look& look, const Sighting& seen) {
    switch (decide(seen)) {
    case Recovery::nothing:
        return {};
    case Recovery::take_up_as_recorded:
        parts.warn("recovery: '" + look.rows[seen.uuid].spec.name + "' is recorded as " +
                   std::string(model::to_string(seen.state)) + ": made so again");
        RETURN_IF_ERROR(parts.groups.freeze(Parts::group_of(look.rows[seen.uuid]),
                                            seen.state == model::State::frozen));
        [[fallthrough]];
    case Recovery::take_up:
        parts.monitors.put(seen.uuid, std::move(look.monitors[seen.uuid]));
        // Somebody may have flushed the firewall meanwhile, and a card that it does not know is not
        // checked.
        return parts.firewall.admit(parts.nic_of(look.rows[seen.uuid]));
    case Recovery::stop:
        parts.warn("recovery: '" + look.rows[seen.uuid].spec.name +
                   "' no longer runs as recorded: stopping it");
        return run_now(stop_plan(parts, look.rows[seen.uuid], {.force = true, .unasked = true}));
    case Recovery::mark_stopped: {
        model::Container container = look.rows[seen.uuid];
        container.state = model::State::stopped;
        container.init_pid.reset();
        container.init_start_time.reset();
        container.last_exit = "host was booted";
        return parts.containers.update_state(container, parts.boot_id);
    }
    case Recovery::remove_row:
        RETURN_IF_ERROR(sweep(parts, seen));
        return parts.containers.remove(seen.uuid);
    case Recovery::sweep:
        parts.warn("recovery: sweeping what is left of " + seen.uuid.to_string());
        return sweep(parts, seen);
    }
    return {};
}

} // namespace

Status recover(const Parts& parts, OperationEngine& engine, OperationLog& log) {
    RETURN_IF_ERROR(finish_operations(parts, engine, log));
    Look look;
    RETURN_IF_ERROR(look_at_rows(parts, look));
    RETURN_IF_ERROR(look_at_kernel(parts, look));
    for (const auto& [uuid, seen] : look.sightings) {
        if (const Status acted = act(parts, look, seen); !acted) {
            parts.warn("recovery of " + uuid.to_string() + ": " + acted.error().to_string());
        }
    }
    for (const auto& sweep_rest : {sweep_cards, sweep_images}) {
        if (const Status swept = sweep_rest(parts); !swept) {
            parts.warn("recovery: " + swept.error().to_string());
        }
    }
    return {};
}

} // namespace lodge::daemon
