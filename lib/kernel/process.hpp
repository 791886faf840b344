#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace lodge::kernel {

/// A process made by clone_process. In the new process itself `pid` is 0 and `pidfd` is empty.
struct Cloned {
    pid_t pid = 0;
    UniqueFd pidfd;
};

/// clone3(2) without shared memory, with a pidfd, and with SIGCHLD at the end of the process.
/// `namespaces` are CLONE_NEW* flags. With a `cgroup_fd` of -1 the process is in the caller's
/// group; else it starts in that group (CLONE_INTO_CGROUP, which is cheaper than a move). Pre: the
/// caller has one thread, because a lock of another thread would be held for ever in the new
/// process.
[[nodiscard]] Result<Cloned> clone_process(std::uint64_t namespaces, int cgroup_fd);

/// The UUID of this boot of the host (random(4), /proc/sys/kernel/random/boot_id).
[[nodiscard]] Result<std::string> boot_id();

/// pidfd_open(2).
[[nodiscard]] Result<UniqueFd> open_process(pid_t pid);
/// pidfd_send_signal(2). Success when the process has ended already.
[[nodiscard]] Status send_signal(int pidfd, int signal_number);

/// Field 22 of /proc/PID/stat: together with the pid it identifies a process until the next reboot.
/// Pure. The name of the command may hold spaces and parentheses, because the owner of the process
/// chooses it.
[[nodiscard]] Result<std::uint64_t> parse_start_time(std::string_view stat);
/// `proc_fd`: a directory descriptor of a proc filesystem.
[[nodiscard]] Result<std::uint64_t> process_start_time(int proc_fd, pid_t pid);

/// Whether the main thread of the process catches or blocks the signal (SigCgt and SigBlk of
/// /proc/PID/status, man 5 proc). The kernel does not deliver any other signal to the init of a pid
/// namespace (man 7 pid_namespaces). Pure. Pre: a signal from 1 to 64.
[[nodiscard]] Result<bool> parse_heeds(std::string_view status, int signal_number);
[[nodiscard]] Result<bool> heeds_signal(int proc_fd, pid_t pid, int signal_number);

} // namespace lodge::kernel
