#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/mount.hpp"

#include <string>

namespace lodge::monitor {

/// The filesystems of a container beside its root, detached.
struct OwnMounts {
    kernel::MountFd proc;
    kernel::MountFd sys;
    kernel::MountFd cgroup;
    kernel::MountFd devices; ///< from the monitor, see build_devices
    kernel::MountFd terminals;
    kernel::MountFd shared_memory;
    kernel::MountFd message_queues;
    kernel::MountFd run;
    kernel::MountFd nothing; ///< an empty read-only directory that covers others
};

/// Pre: the caller is root in the container's own user, mount, pid, net, ipc and cgroup namespaces.
[[nodiscard]] Result<OwnMounts> make_own_mounts();

/// Attaches all filesystems below `root` and hides or write-protects parts of /proc and /sys. The
/// tree is the tenant's: no symlink of it is followed; missing directories are made. Pre: `root` is
/// `/`.
[[nodiscard]] Status attach_own_mounts(int root, const OwnMounts& mounts, const std::string& uuid);

/// Mounts terminal `number` of the container's devpts over /dev/console.
[[nodiscard]] Status attach_console(int root, unsigned number);

} // namespace lodge::monitor
