#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

namespace lodge::cgroup {

/// Loads the program (BPF_PROG_TYPE_CGROUP_DEVICE) that lets a container's processes use null,
/// zero, full, random, urandom, tty, console, ptmx, pseudo terminals, fuse and net/tun, and make no
/// device node. One program serves all groups.
[[nodiscard]] Result<UniqueFd> load_device_filter();

/// Attaches the program to a group. The kernel detaches it when the group is removed.
[[nodiscard]] Status attach_device_filter(int group_fd, int program_fd);

} // namespace lodge::cgroup
