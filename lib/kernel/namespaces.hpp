#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

#include <sys/types.h>

namespace lodge::kernel {

/// unshare(2).
[[nodiscard]] Status unshare_namespaces(int flags);
/// setns(2). `fd`: a pidfd, with the CLONE_NEW* flags of the namespaces of that process to join
/// (the call joins all of them or none); or the descriptor of a namespace, with its flag.
[[nodiscard]] Status join_namespaces(int fd, int flags);

/// One extent of ids: 0..count-1 in the user namespace are base..base+count-1 in its parent.
struct IdMap {
    std::uint32_t base = 0;
    std::uint32_t count = 0;
};
/// Writes uid_map and gid_map of `pid` below the proc filesystem `proc_fd`. Possible only once for
/// each namespace. Needs CAP_SETUID and CAP_SETGID in the parent namespace, and no helper program.
[[nodiscard]] Status write_id_maps(int proc_fd, pid_t pid, const IdMap& map);

/// Makes `new_root` (a directory descriptor of a mount's root) the root and working directory of
/// this mount namespace, and unmounts the old root with all mounts below it.
[[nodiscard]] Status pivot_into(int new_root);

} // namespace lodge::kernel
