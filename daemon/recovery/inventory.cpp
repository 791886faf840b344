#include "daemon/recovery/inventory.hpp"

#include "daemon/containers/kept_console.hpp"
#include "daemon/containers/logged_verb.hpp"
#include "daemon/records/places.hpp"
#include "lib/base/contained.hpp"
#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace lodge::daemon {

namespace {

Status look_at_rows(const Parts& parts, Inventory& seen) {
    ASSIGN_OR_RETURN(auto containers, parts.containers.list_all());
    ASSIGN_OR_RETURN(const auto marks, parts.containers.marks());
    for (model::Container& container : containers) {
        const auto mark = marks.find(container.uuid);
        if (mark == marks.end()) {
            continue; // destroyed between the two queries
        }
        SeenRow& row = seen.rows[container.uuid];
        row.published = mark->second.published;
        row.this_boot = mark->second.boot_id == parts.boot_id;
        row.container = std::move(container);
    }
    ASSIGN_OR_RETURN(const auto names, parts.templates.list());
    for (const templates::Template& made : names) {
        seen.named_images.insert(made.digest);
    }
    return {};
}

struct Probe {
    Uuid uuid;
    SeenMonitor seen;
    std::shared_ptr<Monitor> connection;
    Status failed;
};

Result<MonitorStatus> ask(const Parts& parts, Probe& one) {
    ASSIGN_OR_RETURN(one.connection, parts.runtime.connect(one.uuid));
    return one.connection->status();
}

// A failure of our own (no descriptor) says nothing about the monitor.
void probe(const Parts& parts, Probe& one) {
    auto status = ask(parts, one);
    if (!status && !is_unwatched(status.error())) {
        status = ask(parts, one);
    }
    if (status) {
        one.seen = {.sign = MonitorSign::living,
                    .init_ended = status->exit.has_value(),
                    .init = status->init};
        return;
    }
    one.connection.reset();
    if (status.error().code() == ErrorCode::not_found) {
        one.seen.sign = MonitorSign::dead;
    } else if (is_unwatched(status.error())) {
        one.seen.sign = MonitorSign::silent;
    } else {
        one.failed = std::unexpected<Error>(status.error());
    }
}

// In parallel, because a hanging one takes its whole deadline.
void probe_all(const Parts& parts, std::vector<Probe>& probes) {
    constexpr std::size_t kAtOnce = 64;
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t mine = next++; mine < probes.size(); mine = next++) {
            const Status probed = contained([&] { return probe(parts, probes[mine]), Status{}; });
            if (!probed) {
                probes[mine].failed = probed;
            }
        }
    };
    std::vector<std::jthread> helpers;
    try {
        for (std::size_t count = 1; count < std::min(kAtOnce, probes.size()); ++count) {
            helpers.emplace_back(work);
        }
    } catch (const std::system_error&) {
        // No thread is available: the existing ones do it.
    }
    work();
}

Status look_at_monitors(const Parts& parts, Look& look) {
    ASSIGN_OR_RETURN(const auto uuids, parts.runtime.list());
    std::vector<Probe> probes;
    for (const Uuid& uuid : uuids) {
        probes.push_back({.uuid = uuid, .seen = {}, .connection = {}, .failed = {}});
    }
    probe_all(parts, probes);
    for (Probe& one : probes) {
        RETURN_IF_ERROR(with_context(one.failed, "ask the monitor of " + one.uuid.to_string()));
        look.inventory.monitors[one.uuid] = one.seen;
        if (one.connection) {
            look.connections[one.uuid] = std::move(one.connection);
        }
    }
    for (const auto& [uuid, monitor] : parts.monitors.all()) {
        look.inventory.watched.insert(uuid);
    }
    return {};
}

Status look_at_directories(const Parts& parts, Inventory& seen) {
    seen.containers_directory = parts.settings.containers_directory();
    ASSIGN_OR_RETURN(const auto parent, kernel::open_directory(seen.containers_directory));
    return kernel::for_each_entry(
        parent.get(), [&](const std::string& name, unsigned char) -> Status {
            const auto beside = look_beside(seen.containers_directory + "/" + name);
            // A directory that cannot be read may hold anything.
            seen.directories[name] = {.has_image = !beside || beside->image,
                                      .is_kept = !beside || beside->record || beside->left};
            return {};
        });
}

template <typename Item, typename List>
Status put(std::set<Item>& into, List&& found) {
    RETURN_IF_ERROR(found);
    into.insert(found->begin(), found->end());
    return {};
}

Status look_at_groups(const Parts& parts, Inventory& seen) {
    RETURN_IF_ERROR(put(seen.groups, parts.groups.list()));
    for (const std::string& group : seen.groups) {
        ASSIGN_OR_RETURN(const bool frozen, parts.groups.is_frozen(group));
        if (frozen) {
            seen.frozen_groups.insert(group);
        }
    }
    return {};
}

std::vector<network::Nic> nics_of(const Parts& parts, const Inventory& seen) {
    std::vector<network::Nic> nics;
    nics.reserve(seen.rows.size());
    for (const auto& [uuid, row] : seen.rows) {
        for (const model::Card& card : row.container.cards) {
            nics.push_back(parts.nic_of(card));
        }
    }
    return nics;
}

Status look_at_network(const Parts& parts, Inventory& seen) {
    const network::BridgeSpec bridge = parts.settings.bridge_spec();
    NetworkFaults& faults = seen.network;
    faults.bridge_name = bridge.name;
    ASSIGN_OR_RETURN(faults.bridge, parts.links.bridge_fault(bridge));
    ASSIGN_OR_RETURN(faults.forwarding, parts.links.forwarding_fault(bridge.name));
    ASSIGN_OR_RETURN(faults.firewall, parts.firewall.tables_fault(bridge));
    ASSIGN_OR_RETURN(const auto cards, parts.links.cards(bridge.name));
    for (const network::FoundCard& card : cards) {
        seen.cards.insert(card.name);
        if (!card.fault.empty()) {
            seen.card_faults[card.name] = card.fault;
        }
    }
    RETURN_IF_ERROR(put(seen.admitted, parts.firewall.admitted()));
    return put(seen.misadmitted, parts.firewall.misadmitted(nics_of(parts, seen)));
}

Status look_at_kernel(const Parts& parts, Inventory& seen) {
    RETURN_IF_ERROR(look_at_groups(parts, seen));
    RETURN_IF_ERROR(look_at_directories(parts, seen));
    RETURN_IF_ERROR(look_at_network(parts, seen));
    ASSIGN_OR_RETURN(seen.devices, parts.block_devices(seen.containers_directory));
    RETURN_IF_ERROR(put(seen.images, parts.store.list()));
    RETURN_IF_ERROR(put(seen.mount_points, parts.store.mount_points()));
    RETURN_IF_ERROR(put(seen.works, parts.store.works()));
    return put(seen.consoles, list_kept_consoles(parts.settings.run_directory));
}

} // namespace

std::set<std::string> names_of(const std::vector<LoggedOperation>& operations) {
    std::set<std::string> names;
    for (const LoggedOperation& operation : operations) {
        names.insert(operation.resource);
        if (const auto verb = parse_arguments(operation.arguments)) { // a create may have no row
            names.insert(verb->container.to_string());
        }
    }
    return names;
}

Result<Look> look_around(const Parts& parts) {
    Look look;
    RETURN_IF_ERROR(with_context(look_at_rows(parts, look.inventory), "look at the rows"));
    RETURN_IF_ERROR(with_context(look_at_monitors(parts, look), "look for monitors"));
    RETURN_IF_ERROR(with_context(look_at_kernel(parts, look.inventory), "look at kernel and disk"));
    return look;
}

} // namespace lodge::daemon
