#pragma once

#include "daemon/containers/parts.hpp"

namespace lodge::daemon {

/// A container's limits for its group. With `limits: best-effort` those that this host cannot
/// enforce are left out, with a warning that says of `what` ("start 'web1'").
[[nodiscard]] cgroup::Limits
limits_for(const Parts& parts, const model::Resources& resources, const std::string& what);

} // namespace lodge::daemon
