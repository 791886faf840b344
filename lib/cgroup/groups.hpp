#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lodge::cgroup {

/// The cgroup v2 hierarchy of this host below our base group.
struct Support {
    std::string mount_point;              ///< from /proc/self/mountinfo, never assumed
    std::string base;                     ///< our base group, relative to the mount point
    std::vector<std::string> controllers; ///< available to children: "memory", "cpu", "pids"
    /// The reason why limits of `controller` cannot be enforced here ("it is bound to cgroup v1 at
    /// ..."); empty: they can.
    [[nodiscard]] std::string why_not(const std::string& controller) const;
    std::vector<std::pair<std::string, std::string>> missing; ///< controller, reason
};

/// Limits of one group; an absent limit means the kernel's default.
struct Limits {
    std::optional<std::uint64_t> memory_bytes; ///< memory.max, and memory.swap.max = 0
    std::optional<std::uint32_t> cpu_millis;   ///< cpu.max over a period of 100 ms
    std::optional<std::uint32_t> pids;         ///< pids.max
};

/// The use of resources by a group and the groups below it; an absent value is not counted on this
/// host.
struct Use {
    std::optional<std::uint64_t> memory_bytes;     ///< memory.current
    std::optional<std::uint64_t> cpu_microseconds; ///< of its whole life: cpu.stat, usage_usec
    std::optional<std::uint64_t> processes;        ///< and threads: pids.current
};

/// The greatest depth and number of groups that a tenant may make below the container's own
/// (cgroup-v2.rst, cgroup.max.depth, cgroup.max.descendants).
inline constexpr unsigned kDeepestGroup = 64;
inline constexpr unsigned kMostGroups = 1024;

/// The groups of containers, one per container, named from its UUID, below one base group. The
/// daemon itself is in BASE/daemon (cgroup v2 allows no processes beside enabled controllers), or
/// stays in the group of its service manager. Thread-safe.
class GroupManager {
  public:
    GroupManager() = default;
    GroupManager(const GroupManager&) = delete;
    GroupManager& operator=(const GroupManager&) = delete;
    virtual ~GroupManager() = default;

    [[nodiscard]] virtual const Support& support() const = 0;
    /// Makes the group, sets the limits, attaches the device program and hands the delegation files
    /// (the directory, cgroup.procs, cgroup.threads, cgroup.subtree_control) to host id `owner`.
    /// unsupported when a limit cannot be enforced here. Returns a descriptor for
    /// CLONE_INTO_CGROUP. Removes a stale group of that name first, with all groups below it, if it
    /// has no processes.
    [[nodiscard]] virtual Result<UniqueFd>
    create(const std::string& name, const Limits& limits, std::uint32_t owner) = 0;
    /// Sets the limits of an existing group; removes each limit that is absent. With a memory limit
    /// below the memory in use the kernel reclaims memory and, if that is not enough, kills
    /// processes (cgroup-v2.rst, memory.max). unsupported, without any change, when this host
    /// cannot enforce a limit. Missing group: success.
    [[nodiscard]] virtual Status set_limits(const std::string& name, const Limits& limits) = 0;
    /// Kills every process in the group and below, at once (cgroup.kill). Missing group: success.
    [[nodiscard]] virtual Status kill(const std::string& name) = 0;
    /// Asks the kernel to freeze every process in the group and below, or to thaw them
    /// (cgroup.freeze, cgroup-v2.rst). SIGKILL and kill() still end a frozen process. A signal that
    /// it handles waits until the thaw. Idempotent. Missing group: success.
    [[nodiscard]] virtual Status freeze(const std::string& name, bool frozen) = 0;
    /// Waits (poll on cgroup.events) until the freeze or thaw is complete. timeout: a process is in
    /// the kernel where it cannot be frozen (state D). Missing group: success.
    [[nodiscard]] virtual Status
    wait_frozen(const std::string& name, bool frozen, const Deadline& deadline) = 0;
    /// Whether the last freeze() asked for frozen, even when the freeze is not complete. Missing
    /// group: false.
    [[nodiscard]] virtual Result<bool> is_frozen(const std::string& name) = 0;
    /// Waits (poll on cgroup.events, man 7 cgroups) until no process is left in the group or below.
    [[nodiscard]] virtual Status wait_empty(const std::string& name, const Deadline& deadline) = 0;
    /// Processes of the group and below, in no order. Missing group: none.
    [[nodiscard]] virtual Result<std::vector<std::int32_t>> processes(const std::string& name) = 0;
    /// Whether the kernel's OOM killer killed a process of the group or below (memory.events,
    /// cgroup-v2.rst). False when there is no such group or no memory controller.
    [[nodiscard]] virtual Result<bool> out_of_memory(const std::string& name) = 0;
    /// The current use. Missing group: all values are absent.
    [[nodiscard]] virtual Use use(const std::string& name) = 0;
    /// Removes the group and the tree that the tenant made below it. Pre: the group has no
    /// processes.
    [[nodiscard]] virtual Status remove(const std::string& name) = 0;
    /// Names of our groups, for the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> list() = 0;
};

/// The base when the configuration has none. Pure. `own_group` is the group of this process. The
/// base is the parent of a group called "daemon" that a service manager delegated (Delegate=yes and
/// DelegateSubgroup=daemon, systemd 254), else "/lodge". A delegated group with the daemon directly
/// in it cannot be the base: with controllers enabled below it no process may enter it
/// (cgroup-v2.rst, "No Internal Process Constraint"), so the manager could not start the daemon
/// again while containers run.
[[nodiscard]] std::string
automatic_base(const std::string& own_group,
               const std::function<bool(const std::string& group)>& is_delegated);

/// Whether this process stays in `own_group`: the service manager delegated that group, and the
/// automatic base is elsewhere. The manager and its journal find a service's processes by their
/// group (sd_pid_get_unit(3)); after a move they would not know the daemon's log. Pure.
[[nodiscard]] bool stays_in(const std::string& own_group,
                            const std::string& automatic_base,
                            const std::function<bool(const std::string& group)>& is_delegated);

/// `base`: a path below the cgroup2 mount ("/lodge"), or empty for the automatic one. Makes it,
/// moves this process into BASE/daemon (unless stays_in()) and enables the controllers that it
/// finds. The manager holds a lock on the base during its life: busy when another manager holds it.
/// unsupported without a cgroup2 mount or on a kernel without cgroup.kill.
[[nodiscard]] Result<std::unique_ptr<GroupManager>> make_group_manager(const std::string& base);

/// Removes the base that make_group_manager(`base`) would take, with the daemon's own group and all
/// groups in it. busy, and nothing is removed, while a manager holds the base or a process is in
/// it. Returns the path below the mount; empty when there was no base.
[[nodiscard]] Result<std::string> remove_base(const std::string& base);

} // namespace lodge::cgroup
