#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/privileges.hpp"

#include <string>
#include <string_view>

#include <linux/capability.h>

namespace lodge::monitor {

/// Sets the resource limits of init and exec sessions on the monitor itself, from which both
/// inherit. Never fails a start: a lower hard limit of ours stays.
[[nodiscard]] Status set_tenant_limits();

/// Resets the OOM adjustment of a new child `process` ("self", or a number): the kernel's OOM
/// killer treats it as any other process, now and later, although the service manager may protect
/// the daemon and with it the monitors. `proc`: a proc of the host's pid namespace. Pre:
/// CAP_SYS_RESOURCE if the host's root has it. A writer without it does not change the least value,
/// and the tenant may go down to that (fs/proc/base.c, __set_oom_adj).
void reset_oom_adjustment(int proc, const std::string& process);

/// The capability that the monitor is permitted and uses only for this.
inline constexpr kernel::CapabilitySet kLaidAside = kernel::capability_set(CAP_SYS_RESOURCE);
/// The first act of a session's process: makes that capability effective and resets its OOM
/// adjustment. The next act, which joins the container's user namespace, drops the capability.
[[nodiscard]] Status reset_session_oom_adjustment(int proc);

/// The last acts before an exec, the same for init and exec sessions: bounding set, then the system
/// call filter. Pre: root inside the container's user namespace.
[[nodiscard]] Status confine(std::string_view seccomp_program);

} // namespace lodge::monitor
