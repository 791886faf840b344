#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/privileges.hpp"

#include <string>
#include <string_view>

#include <linux/capability.h>

namespace lodge::monitor {

/// The limits that init and exec sessions begin with, set on the monitor itself, from which both
/// inherit. Never fails a start: a hard limit of ours that is lower stays.
[[nodiscard]] Status set_tenant_limits();

/// Of a new child: `process` ("self", or a number) is worth no more to the kernel's OOM killer than
/// any, and never will be, however well the service manager protects the daemon and with it the
/// monitors. `proc`: a proc of the host's pid namespace. Pre: CAP_SYS_RESOURCE where the host's
/// root has it: a value that somebody without it writes leaves the least one where it was, and down
/// to that the tenant may go (fs/proc/base.c, __set_oom_adj).
void reset_oom_adjustment(int proc, const std::string& process);

/// What the monitor is permitted and does not use, but for this.
inline constexpr kernel::CapabilitySet kLaidAside = kernel::capability_set(CAP_SYS_RESOURCE);
/// The first act of a session's process: takes up what was laid aside and resets its adjustment.
/// What it holds then goes when it joins the container's user namespace, which is the next act.
[[nodiscard]] Status reset_session_oom_adjustment(int proc);

/// The last acts before an exec, the same for init and exec sessions: bounding set, then the system
/// call filter. Pre: root inside the container's user namespace.
[[nodiscard]] Status confine(std::string_view seccomp_program);

} // namespace lodge::monitor
