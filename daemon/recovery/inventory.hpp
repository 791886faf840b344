#pragma once

#include "daemon/containers/parts.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace lodge::daemon {

/// The sign of life of a container's monitor.
enum class MonitorSign : std::uint8_t {
    none,
    dead,   ///< a directory where no process listens
    silent, ///< a process listens and does not answer in time
    living,
};

struct SeenMonitor {
    MonitorSign sign = MonitorSign::none;
    bool init_ended = false; ///< the monitor keeps the exit; living only
    InitProcess init;        ///< living only
};

struct SeenRow {
    model::Container container;
    bool published = false; ///< its create was completed
    bool this_boot = false; ///< its state was written since the host was booted
};

struct SeenDirectory {
    bool has_image = false;
    bool is_kept = false; ///< has a record or a rescue's mark: a container, with a row or without
};

/// Faults of the host's side of the network, compared with the state after a start of the daemon:
/// "it is down". Empty: none.
struct NetworkFaults {
    std::string bridge_name;
    std::string bridge;
    std::string forwarding;
    std::string firewall;
};

/// Everything that recovery decides by, as one value. Names are as found, foreign ones included:
/// plan_recovery() tells ours from others.
struct Inventory {
    /// The operations that a dead daemon left in the log. If there are any, the rest is empty.
    std::vector<LoggedOperation> unfinished;

    std::string containers_directory; ///< of our volumes
    std::map<Uuid, SeenRow> rows;
    std::set<std::string> named_images; ///< digests of named templates
    std::map<Uuid, SeenMonitor> monitors;
    std::set<Uuid> watched;              ///< containers whose monitor this daemon watches
    std::set<std::string> groups;        ///< below our base
    std::set<std::string> frozen_groups; ///< of them
    std::map<std::string, SeenDirectory> directories; ///< in containers_directory
    std::set<std::string> cards;                      ///< links whose names begin as ours do
    std::map<std::string, std::string> card_faults;   ///< card and its fault: "is down"
    std::set<std::string> admitted;                   ///< interfaces with elements in our tables
    std::set<std::string> misadmitted;                ///< cards of rows with wrong elements
    NetworkFaults network;
    std::vector<storage::BlockDevice> devices;
    std::set<std::string> images;       ///< digests
    std::set<std::string> mount_points; ///< digests
    std::set<std::string> works;        ///< ids of builds and imports
    std::set<Uuid> consoles;            ///< containers with a kept console
    /// Names and UUIDs that operations of this daemon held during the look: not judged.
    std::set<std::string> held;
    /// Names and UUIDs of the operations that stay unfinished in the log, because this release does
    /// not know them or could not finish them. Recovery removes nothing of theirs from the disk.
    std::set<std::string> left;
};

/// The resources of `operations` and the containers in their arguments.
[[nodiscard]] std::set<std::string> names_of(const std::vector<LoggedOperation>& operations);

/// An inventory, and the connections that were made for it, so that no living monitor is connected
/// to twice.
struct Look {
    Inventory inventory;
    std::map<Uuid, std::shared_ptr<Monitor>> connections; ///< of the living
};

/// Reads rows, monitors, kernel and disk. It changes nothing, except that it wakes stopped
/// monitors. All monitors that do not answer cost ten seconds together, up to 64 of them. Fails
/// when something cannot be read: recovery must not judge unknown things.
[[nodiscard]] Result<Look> look_around(const Parts& parts);

} // namespace lodge::daemon
