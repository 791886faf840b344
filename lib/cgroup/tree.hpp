#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Operations on groups below which a tenant may have made others. They walk by descriptor, at most
/// 256 levels deep.
namespace lodge::cgroup {

/// Removes the group and all groups below it. Pre: they have no processes. Missing group: success.
[[nodiscard]] Status remove_tree(int parent_fd, const std::string& name);

/// Processes of the group and below, in no order. A group that is removed meanwhile has none.
[[nodiscard]] Result<std::vector<std::int32_t>> processes_below(int parent_fd,
                                                                const std::string& name);

/// The first group at or below `name` that has processes and is not frozen, as a path below
/// `parent_fd`; empty when all are frozen.
[[nodiscard]] Result<std::string> first_unfrozen(int parent_fd, const std::string& name);

} // namespace lodge::cgroup
