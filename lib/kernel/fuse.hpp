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
/// Returns their number; 0 on a kernel without FUSE. The owner is the maker of the mount, as the
/// host sees it, so a container's ids name exactly its own connections.
[[nodiscard]] Result<unsigned> abort_fuse_connections(std::uint32_t first, std::uint32_t count);

} // namespace lodge::kernel
