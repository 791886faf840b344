#pragma once

#include "daemon/monitor/protocol.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/kernel/mount.hpp"

#include <sys/types.h>

namespace lodge::monitor {

/// The remains of a start once init runs: everything that a monitor holds of its container.
struct Container {
    StartOrder order;
    UniqueFd proc; ///< our own one, no longer attached
    UniqueFd listener;
    UniqueFd pidfd;
    pid_t pid = 0;
    std::uint64_t start_time = 0;
    UniqueFd console; ///< the PTY's master
};

/// A start under way. A failure reports `stage`.
struct Start {
    StartOrder order;
    int channel = -1; ///< to the daemon; end of file means that the daemon died
    StartStage stage = StartStage::none;
    UniqueFd volume; ///< detached mount of the volume's filesystem, until the root stands
    UniqueFd lower;  ///< detached mount of the template, when the root is shared
    UniqueFd proc;   ///< O_PATH of a proc of our own
    UniqueFd listener;
    UniqueFd clone_socket;
    pid_t pid = 0;
    std::uint64_t start_time = 0;
    UniqueFd pidfd;
    UniqueFd console;
};

/// Runs a start from the order to init's first instruction. On failure the clone is dead.
[[nodiscard]] Result<Container> start_container(Start& start);

/// rootfs.cpp: makes a mount namespace of our own, without the host's mounts: a tmpfs, a proc, a
/// sysfs.
[[nodiscard]] Status leave_host_mounts();
/// After the start: an empty read-only tmpfs.
[[nodiscard]] Status leave_start_mounts();
/// Makes the container's root filesystem, detached.
[[nodiscard]] Result<kernel::MountFd> build_root(const Start& start, int userns_fd);
/// Makes it appear at kHandover in the clone's mount namespace and nowhere else.
[[nodiscard]] Status hand_over_root(const kernel::MountFd& root);
inline constexpr const char* kHandover = "/root";

/// devices.cpp: makes the container's /dev, detached. Pre: this process has CAP_MKNOD on the host.
[[nodiscard]] Result<kernel::MountFd> build_devices(std::uint32_t uid_base);

/// clone.cpp: the clone's part, from its first instruction to execve. `socket`: to the monitor.
[[noreturn]] void run_clone(StartOrder& order, UniqueFd socket);

} // namespace lodge::monitor
