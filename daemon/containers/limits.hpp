#pragma once

#include "daemon/containers/parts.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// Default limit of processes and threads. It stops a fork bomb, and a thousand of them still fit
/// below the kernel's largest pid_max (4,194,304). systemd inside gives each of its services 15 %
/// of it. Where this host cannot enforce it there is no default.
inline constexpr std::uint32_t kDefaultPids = 4096;

/// A container's limits for its group. With `limits: best-effort` it leaves out those that this
/// host cannot enforce and logs a warning that begins with `what` ("start 'web1'").
[[nodiscard]] cgroup::Limits
limits_for(const Parts& parts, const model::Resources& resources, const std::string& what);

/// A limit that this host cannot enforce, and why.
struct UnenforcedLimit {
    std::string controller; ///< "memory", "cpu" or "pids"
    std::string why;
};
[[nodiscard]] std::vector<UnenforcedLimit> unenforced_limits(const Parts& parts,
                                                             const model::Resources& resources);

/// The same as one sentence each, for the caller who asks for these limits.
[[nodiscard]] std::vector<std::string> warnings_of_limits(const Parts& parts,
                                                          const model::Resources& resources);

} // namespace lodge::daemon
