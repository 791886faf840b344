#pragma once

#include "lib/base/error.hpp"
#include "lib/cgroup/groups.hpp"

#include <string>
#include <vector>

namespace lodge::cgroup {

/// Writes the limits of an existing group through libcgroup. `group` is relative to the cgroup2
/// mount, as libcgroup names groups; `group_fd` is its directory. Pre: the controllers are enabled
/// for it.
[[nodiscard]] Status apply_limits(const std::string& group, int group_fd, const Limits& limits);

/// The same for a group with limits. Removes an absent limit if its controller is one of
/// `controllers`.
[[nodiscard]] Status change_limits(const std::string& group,
                                   int group_fd,
                                   const Limits& limits,
                                   const std::vector<std::string>& controllers);

} // namespace lodge::cgroup
