#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

#include <sys/types.h>

namespace lodge::kernel {

/// unshare(2).
[[nodiscard]] Status unshare_namespaces(int flags);
/// setns(2). `fd`: a pidfd, with the CLONE_NEW* flags of that process's namespaces to join (all of
/// them in one go, or none), or a namespace and its flag.
[[nodiscard]] Status join_namespaces(int fd, int flags);

/// One extent of ids: 0..count-1 inside are base..base+count-1 outside.
struct IdMap {
    std::uint32_t base = 0;
    std::uint32_t count = 0;
};
/// Writes uid_map and gid_map of `pid` below the proc filesystem `proc_fd`. Once only per
/// namespace; needs CAP_SETUID and CAP_SETGID over the parent's ids, no helper program.
[[nodiscard]] Status write_id_maps(int proc_fd, pid_t pid, const IdMap& map);

/// Makes `new_root` (a directory descriptor of a mount's root) the root and working directory of
/// this mount namespace and drops the old root with all that was mounted below it.
[[nodiscard]] Status pivot_into(int new_root);

} // namespace lodge::kernel
