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

/// What the cgroup v2 hierarchy of this host offers below our base group.
struct Support {
    std::string mount_point; ///< from /proc/self/mountinfo, never assumed
    std::string base;        ///< our base group, relative to the mount point
    std::vector<std::string>
        controllers; ///< that we can enable for children: "memory", "cpu", "pids"
    /// Why `controller` cannot be enforced here ("it is bound to cgroup v1 at ..."); empty: it can.
    [[nodiscard]] std::string why_not(const std::string& controller) const;
    std::vector<std::pair<std::string, std::string>> missing; ///< controller, reason
};

/// Limits of one group; an absent one leaves the kernel's default.
struct Limits {
    std::optional<std::uint64_t> memory_bytes; ///< memory.max, and memory.swap.max = 0
    std::optional<std::uint32_t> cpu_millis;   ///< cpu.max over a period of 100 ms
    std::optional<std::uint32_t> pids;         ///< pids.max
};

/// How deep, and how many, groups a tenant may make below the container's own (cgroup-v2.rst,
/// cgroup.max.depth, cgroup.max.descendants).
inline constexpr unsigned kDeepestGroup = 64;
inline constexpr unsigned kMostGroups = 1024;

/// The groups of containers, one per container, named from its UUID, below one base group. The
/// daemon itself sits in BASE/daemon (cgroup v2 allows no processes beside enabled controllers), or
/// stays where a service manager put it. Thread-safe.
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
    /// CLONE_INTO_CGROUP. A stale group of that name, if empty of processes, is removed first (with
    /// all below it).
    [[nodiscard]] virtual Result<UniqueFd>
    create(const std::string& name, const Limits& limits, std::uint32_t owner) = 0;
    /// Makes these the limits of a living group; an absent one is taken away. A memory limit below
    /// what is in use makes the kernel reclaim and, should that not do, kill (cgroup-v2.rst,
    /// memory.max). unsupported, with nothing done, when one cannot be enforced here. Missing
    /// group: success.
    [[nodiscard]] virtual Status set_limits(const std::string& name, const Limits& limits) = 0;
    /// cgroup.kill: every process in the group and below, at once. Missing group: success.
    [[nodiscard]] virtual Status kill(const std::string& name) = 0;
    /// cgroup.freeze (cgroup-v2.rst): asks that every process in the group and below is held, or
    /// let go on. A held process still dies of SIGKILL and of kill(); a signal that it handles
    /// waits until it is let go. Idempotent. Missing group: success.
    [[nodiscard]] virtual Status freeze(const std::string& name, bool frozen) = 0;
    /// Waits (poll on cgroup.events) until what freeze() asked for has come about. timeout: a
    /// process stays in the kernel where it cannot be held (state D). Missing group: success.
    [[nodiscard]] virtual Status
    wait_frozen(const std::string& name, bool frozen, const Deadline& deadline) = 0;
    /// What was asked for last, whether or not it has come about. Missing group: false.
    [[nodiscard]] virtual Result<bool> is_frozen(const std::string& name) = 0;
    /// Waits (poll on cgroup.events, man 7 cgroups) until no process is left in the group or below.
    [[nodiscard]] virtual Status wait_empty(const std::string& name, const Deadline& deadline) = 0;
    /// Processes of the group and below, in no order. Missing group: none.
    [[nodiscard]] virtual Result<std::vector<std::int32_t>> processes(const std::string& name) = 0;
    /// The kernel has killed a process of the group or below for want of memory (memory.events,
    /// cgroup-v2.rst). False where nobody counts: no such group, no memory controller.
    [[nodiscard]] virtual Result<bool> out_of_memory(const std::string& name) = 0;
    /// Removes the group and the tree that the tenant made below it. Pre: empty of processes.
    [[nodiscard]] virtual Status remove(const std::string& name) = 0;
    /// Names of our groups: the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> list() = 0;
};

/// The base when none is configured. Pure. `own_group` is this process's group; the parent of a
/// group called "daemon" that a service manager delegated (Delegate=yes and
/// DelegateSubgroup=daemon, systemd 254), else "/lodge". A delegated group that the daemon sits in
/// directly is no base: with controllers enabled below it no process may enter it (cgroup-v2.rst,
/// "No Internal Process Constraint"), so that the manager could not start the daemon again while
/// containers run.
[[nodiscard]] std::string
automatic_base(const std::string& own_group,
               const std::function<bool(const std::string& group)>& is_delegated);

/// Whether this process stays in `own_group`: one that a service manager delegated, while the base,
/// chosen automatically, lies elsewhere. The manager and its journal know a service's processes by
/// their group (sd_pid_get_unit(3)): moved away, the daemon would log as nobody's. Pure.
[[nodiscard]] bool stays_in(const std::string& own_group,
                            const std::string& automatic_base,
                            const std::function<bool(const std::string& group)>& is_delegated);

/// `base`: a path below the cgroup2 mount ("/lodge"), or empty for the automatic one. Makes it,
/// moves this process into BASE/daemon (but see stays_in) and enables the controllers it finds. The
/// base is this manager's alone as long as it lives: busy when another has it. unsupported without
/// a cgroup2 mount or on a kernel without cgroup.kill.
[[nodiscard]] Result<std::unique_ptr<GroupManager>> make_group_manager(const std::string& base);

} // namespace lodge::cgroup
