#include "daemon/clean_host.hpp"

#include "daemon/records/places.hpp"
#include "daemon/rescue/open_state.hpp"
#include "daemon/runtime/runtime.hpp"
#include "daemon/seccomp/profile.hpp"
#include "daemon/store/store.hpp"
#include "lib/cgroup/groups.hpp"
#include "lib/kernel/fs.hpp"
#include "network/network.hpp"
#include "storage/volume.hpp"
#include "templates/template_store.hpp"

#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

// A monitor that cannot be asked may watch a container.
Status check_no_monitor_lives(const Settings& settings) {
    ASSIGN_OR_RETURN(auto filter, compile_seccomp_profile());
    ASSIGN_OR_RETURN(const auto runtime,
                     make_namespace_runtime({.program = settings.monitor_program,
                                             .run_directory = settings.run_directory,
                                             .seccomp_program = std::move(filter)}));
    ASSIGN_OR_RETURN(const auto containers, runtime->list());
    for (const Uuid& uuid : containers) {
        const auto monitor = runtime->connect(uuid);
        if (monitor) {
            return fail(ErrorCode::busy, "the container " + uuid.to_string() + " runs");
        }
        if (monitor.error().code() != ErrorCode::not_found) {
            return fail(ErrorCode::busy,
                        "whether the container " + uuid.to_string() +
                            " runs cannot be found out: " + monitor.error().to_string());
        }
    }
    return {};
}

Status check_no_volume_is_open(const Settings& settings) {
    ASSIGN_OR_RETURN(const auto devices, storage::list_devices(settings.containers_directory()));
    return devices.empty() ? Status{}
                           : fail(ErrorCode::busy,
                                  "the volume '" + devices.front().image + "' is open as " +
                                      devices.front().name);
}

// Without a database there are no rows. It is not made: the state directory stays as it is.
Result<std::set<std::string>> cards_in_database(const Settings& settings) {
    std::set<std::string> names;
    if (!has_database(settings)) {
        return names;
    }
    ASSIGN_OR_RETURN(const auto database, open_state(settings));
    ASSIGN_OR_RETURN(const auto rows, ContainerRepository(*database).list_all());
    for (const model::Container& row : rows) {
        for (const model::Card& card : row.cards) {
            names.insert(model::card_name(card.uuid));
        }
    }
    return names;
}

// A card goes with the network namespace of its container, a little after the container's end: the
// one that is still there is removed. Those of others are not ours to remove.
Result<std::vector<std::string>> own_cards(const Settings& settings, network::LinkDriver& links) {
    ASSIGN_OR_RETURN(const auto cards, links.cards(settings.bridge));
    if (cards.empty()) {
        return std::vector<std::string>();
    }
    ASSIGN_OR_RETURN(const std::set<std::string> known, cards_in_database(settings));
    std::vector<std::string> own;
    for (const network::FoundCard& card : cards) {
        if (!known.contains(card.name)) {
            return fail(ErrorCode::busy,
                        "the card '" + card.name + "' belongs to no container of '" +
                            settings.database_path() +
                            "': another lodged's containers run in this network namespace");
        }
        own.push_back(card.name);
    }
    return own;
}

Status remove_network(const Settings& settings,
                      network::LinkDriver& links,
                      const std::vector<std::string>& cards) {
    ASSIGN_OR_RETURN(const UniqueFd claim, network::claim_network());
    for (const std::string& card : cards) {
        RETURN_IF_ERROR(links.detach(card));
    }
    RETURN_IF_ERROR(network::make_firewall_driver()->remove_tables());
    return links.remove_bridge(settings.bridge);
}

std::unique_ptr<templates::TemplateStore> images_of(const Settings& settings) {
    return templates::make_template_store({.directory = settings.templates_directory(),
                                           .run_directory = settings.template_mounts(),
                                           .unpack_program = settings.unpack_program,
                                           .most_unpacked_bytes = settings.most_unpacked_bytes});
}

Status unmount_templates(const Settings& settings) {
    const auto store = images_of(settings);
    ASSIGN_OR_RETURN(const auto mounted, store->mount_points());
    for (const std::string& digest : mounted) {
        RETURN_IF_ERROR(store->unmount(digest));
    }
    return {};
}

// Only what lodged puts there: it may be a directory that is used for more.
Status remove_run_directory(const Settings& settings) {
    const auto directory = kernel::open_directory(settings.run_directory);
    if (!directory) {
        return directory.error().sys_errno() == ENOENT ? Status{}
                                                       : std::unexpected<Error>(directory.error());
    }
    for (const char* name : {"monitors", "templates", "consoles", "lodged.sock", "lodged.pid"}) {
        RETURN_IF_ERROR(kernel::remove_tree_at(directory->get(), name));
    }
    if (::rmdir(settings.run_directory.c_str()) != 0 && errno != ENOTEMPTY && errno != ENOENT) {
        return fail_errno("rmdir", settings.run_directory);
    }
    return {};
}

} // namespace

Result<std::vector<std::string>> clean_host(const Settings& settings) {
    const auto links = network::make_link_driver();
    RETURN_IF_ERROR(check_no_monitor_lives(settings));
    RETURN_IF_ERROR(check_no_volume_is_open(settings));
    ASSIGN_OR_RETURN(const auto cards, own_cards(settings, *links));
    ASSIGN_OR_RETURN(const std::string group, cgroup::remove_base(settings.cgroup_base));
    RETURN_IF_ERROR(remove_network(settings, *links, cards));
    RETURN_IF_ERROR(unmount_templates(settings));
    RETURN_IF_ERROR(remove_run_directory(settings));
    std::vector<std::string> lines;
    if (!group.empty()) {
        lines.push_back("removed: the control group " + group);
    }
    lines.push_back("removed: the bridge '" + settings.bridge +
                    "' and the nftables tables 'inet lodge' and 'bridge lodge'");
    lines.push_back("removed: the run directory '" + settings.run_directory + "'");
    lines.emplace_back("left: forwarding (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding) and "
                       "other kernel settings, until the next boot");
    return lines;
}

bool has_run_here(const Settings& settings) {
    return ::access(settings.run_directory.c_str(), F_OK) == 0 || errno != ENOENT;
}

Result<std::string> describe_what_stays(const Settings& settings) {
    const std::string& state = settings.state_directory;
    if (::access(state.c_str(), F_OK) != 0 && errno == ENOENT) {
        return "left: no data, for there is no '" + state + "'";
    }
    ASSIGN_OR_RETURN(const auto volumes, volumes_on_disk(settings));
    ASSIGN_OR_RETURN(const auto images, images_of(settings)->list());
    return "left: '" + state + "' with " + std::to_string(volumes.size()) + " volume(s), " +
           std::to_string(images.size()) +
           " template(s), the database and the keys, without which no copy of a volume opens and "
           "no record is trusted. To remove all of that for good: rm -rf " +
           state;
}

} // namespace lodge::daemon
