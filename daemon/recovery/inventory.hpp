#pragma once

#include "daemon/containers/parts.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace lodge::daemon {

/// What is to be seen of a container's monitor.
enum class MonitorSign : std::uint8_t {
    none,
    dead,   ///< its directory, and nobody who listens there
    silent, ///< somebody listens and does not answer in time
    living,
};

struct SeenMonitor {
    MonitorSign sign = MonitorSign::none;
    bool init_ended = false; ///< it keeps how; living only
    InitProcess init;        ///< living only
};

struct SeenRow {
    model::Container container;
    bool published = false; ///< its create came to its end
    bool this_boot = false; ///< its state was written since the host was booted
};

struct SeenDirectory {
    bool has_image = false;
    bool is_kept = false; ///< it has a record, or a rescue left it: a container, with a row or not
};

/// What of the host's side of the network is not as a start of the daemon makes it: "it is down".
/// Empty: nothing.
struct NetworkFaults {
    std::string bridge_name;
    std::string bridge;
    std::string forwarding;
    std::string firewall;
};

/// All that recovery decides by, as one value. Names are as they were found, foreign ones among
/// them: it is plan_recovery() that tells ours.
struct Inventory {
    /// Left in the log by a dead daemon. When there are any, nothing else was looked at.
    std::vector<LoggedOperation> unfinished;

    std::string containers_directory; ///< where our volumes lie
    std::map<Uuid, SeenRow> rows;
    std::set<std::string> named_images; ///< digests that a template's name stands for
    std::map<Uuid, SeenMonitor> monitors;
    std::set<Uuid> watched;              ///< whose monitors this daemon watches already
    std::set<std::string> groups;        ///< below our base
    std::set<std::string> frozen_groups; ///< of them
    std::map<std::string, SeenDirectory> directories; ///< in containers_directory
    std::set<std::string> cards;                      ///< links whose names begin as ours do
    std::map<std::string, std::string> card_faults;   ///< of them, and what is wrong: "is down"
    std::set<std::string> admitted;                   ///< interfaces with elements in our tables
    std::set<std::string> misadmitted;                ///< cards of rows with other ones than theirs
    NetworkFaults network;
    std::vector<storage::BlockDevice> devices;
    std::set<std::string> images;       ///< digests
    std::set<std::string> mount_points; ///< digests
    std::set<std::string> works;        ///< ids of builds and imports
    std::set<Uuid> consoles;            ///< containers of which a console's output is kept
    /// Names and UUIDs that operations of this daemon have held while we looked: not judged.
    std::set<std::string> held;
    /// Names and UUIDs that operations are about which stay unfinished in the log, as nobody here
    /// knows them or could finish them: what they keep on the disk is nobody's to remove.
    std::set<std::string> left;
};

/// The resources of `operations`, and the containers that their arguments name.
[[nodiscard]] std::set<std::string> names_of(const std::vector<LoggedOperation>& operations);

/// An inventory, and the connections that were made for it, so that a living monitor need not be
/// found twice.
struct Look {
    Inventory inventory;
    std::map<Uuid, std::shared_ptr<Monitor>> connections; ///< of the living
};

/// Looks at rows, monitors, kernel and disk; changes nothing, but wakes monitors that were stopped.
/// A monitor that says nothing costs ten seconds, not ten for each. Fails when something could not
/// be looked at: what is not known must not be judged.
[[nodiscard]] Result<Look> look_around(const Parts& parts);

} // namespace lodge::daemon
