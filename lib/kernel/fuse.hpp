#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

namespace lodge::kernel {

/// Breaks the FUSE connections whose mounts belong to the user ids from `first` on, `count` of
/// them: requests that wait for a server end with an error, and later ones too. It is the only way
/// out for a process that waits for a server which took its request and does not answer: not even
/// SIGKILL ends that wait, and the server's death does not either when the process shares its
/// files (Documentation/filesystems/fuse.rst, "Aborting a filesystem connection").
///
/// Returns how many there were; 0 on a kernel without FUSE. The owner is who made the mount, seen
/// from the host, so that a container's ids name exactly its own connections.
[[nodiscard]] Result<unsigned> abort_fuse_connections(std::uint32_t first, std::uint32_t count);

} // namespace lodge::kernel
