#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

namespace lodge::kernel {

/// Breaks the FUSE connections whose mounts belong to the `count` user ids from `first` on: waiting
/// and later requests end with an error. This is the only way to free a process that waits for a
/// server which took its request and does not answer. SIGKILL does not end that wait, and neither
/// does the server's death when the process shares its files (Documentation/filesystems/fuse.rst,
/// "Aborting a filesystem connection").
///
/// Returns the number of connections; 0 on a kernel without FUSE. The owner of a connection is the
/// user who made the mount, as a host id. So the ids of a container select exactly its own
/// connections.
[[nodiscard]] Result<unsigned> abort_fuse_connections(std::uint32_t first, std::uint32_t count);

} // namespace lodge::kernel
