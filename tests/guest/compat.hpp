#pragma once

#include <string>
#include <vector>

namespace guest {

/// Looks at a file as a 32-bit program without large files does: says its inode number, which has
/// 32 bits there, or fails.
int run_stat_32(const std::vector<std::string>& arguments);

} // namespace guest
