#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>

namespace lodge::monitor {

/// The limits that init and exec sessions begin with, set on the monitor itself, from which both
/// inherit. Never fails a start: a hard limit of ours that is lower stays.
[[nodiscard]] Status set_tenant_limits();

/// Of a new child: `process` ("self", or a number) is worth no more to the kernel's OOM killer than
/// any, however well the service manager protects the daemon and with it the monitors. `proc`: a
/// proc of the host's pid namespace.
void reset_oom_adjustment(int proc, const std::string& process);

/// The last acts before an exec, the same for init and exec sessions: bounding set, then the system
/// call filter. Pre: root inside the container's user namespace.
[[nodiscard]] Status confine(std::string_view seccomp_program);

} // namespace lodge::monitor
