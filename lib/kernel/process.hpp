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

/// clone3(2) without sharing memory, with a pidfd and SIGCHLD at its end. `namespaces` are
/// CLONE_NEW* flags; a `cgroup_fd` of -1 leaves it in the caller's group, another makes it be born
/// in that one (CLONE_INTO_CGROUP: nothing is moved, so it costs nothing). Pre: the caller has one
/// thread (a lock that another one holds would stay held for ever).
[[nodiscard]] Result<Cloned> clone_process(std::uint64_t namespaces, int cgroup_fd);

/// Of this boot of the host (random(4), /proc/sys/kernel/random/boot_id): a UUID.
[[nodiscard]] Result<std::string> boot_id();

/// pidfd_open(2).
[[nodiscard]] Result<UniqueFd> open_process(pid_t pid);
/// pidfd_send_signal(2). Success when the process has gone already.
[[nodiscard]] Status send_signal(int pidfd, int signal_number);

/// Field 22 of /proc/PID/stat: with the pid, an identity that is never used again before a reboot.
/// Pure; the command's name, which its owner chooses, may hold spaces and parentheses.
[[nodiscard]] Result<std::uint64_t> parse_start_time(std::string_view stat);
/// `proc_fd`: a directory descriptor of a proc filesystem.
[[nodiscard]] Result<std::uint64_t> process_start_time(int proc_fd, pid_t pid);

/// Whether a signal does more to the process than by default: its main thread catches or blocks it
/// (SigCgt and SigBlk of /proc/PID/status, man 5 proc). The init of a pid namespace never hears of
/// any other (man 7 pid_namespaces). Pure. Pre: a signal from 1 to 64.
[[nodiscard]] Result<bool> parse_heeds(std::string_view status, int signal_number);
[[nodiscard]] Result<bool> heeds_signal(int proc_fd, pid_t pid, int signal_number);

} // namespace lodge::kernel
