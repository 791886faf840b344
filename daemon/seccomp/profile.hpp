#pragma once

#include "lib/base/error.hpp"

#include <string_view>
#include <vector>

namespace lodge::daemon {

/// A system call that a tenant does not get, and the reason.
struct DeniedCall {
    std::string_view name;
    int error_number;
    std::string_view reason;
};

/// The calls that are denied by name, for documents and tests. A call in neither this list nor the
/// list of allowed calls is answered with ENOSYS, as by a kernel that does not know it.
[[nodiscard]] const std::vector<DeniedCall>& denied_calls();

/// The seccomp program of every container, an array of sock_filter (man 2 seccomp). Compiling takes
/// 5-10 ms, so the daemon does it once at its start and gives the bytes to each monitor.
[[nodiscard]] Result<std::vector<unsigned char>> compile_seccomp_profile();

} // namespace lodge::daemon
