#include "daemon/monitor/tenant_limits.hpp"

#include "lib/kernel/fs.hpp"

#include <array>
#include <span>

namespace lodge::monitor {

namespace {

// All of them are over the container's own namespaces only. Those left out are of no use there
// (the kernel asks for them on the host: modules, ports, the clock, device nodes, the kernel's log,
// LSM policy, wake-ups, BPF, perf), and programs that find them missing do not try: systemd skips
// udev without CAP_MKNOD and time synchronisation without CAP_SYS_TIME.
constexpr kernel::CapabilitySet kTenantCapabilities = kernel::capability_set(CAP_CHOWN,
                                                                             CAP_DAC_OVERRIDE,
                                                                             CAP_DAC_READ_SEARCH,
                                                                             CAP_FOWNER,
                                                                             CAP_FSETID,
                                                                             CAP_KILL,
                                                                             CAP_SETGID,
                                                                             CAP_SETUID,
                                                                             CAP_SETPCAP,
                                                                             CAP_LINUX_IMMUTABLE,
                                                                             CAP_NET_BIND_SERVICE,
                                                                             CAP_NET_BROADCAST,
                                                                             CAP_NET_ADMIN,
                                                                             CAP_NET_RAW,
                                                                             CAP_IPC_LOCK,
                                                                             CAP_IPC_OWNER,
                                                                             CAP_SYS_CHROOT,
                                                                             CAP_SYS_PTRACE,
                                                                             CAP_SYS_ADMIN,
                                                                             CAP_SYS_BOOT,
                                                                             CAP_SYS_NICE,
                                                                             CAP_SYS_RESOURCE,
                                                                             CAP_SYS_TTY_CONFIG,
                                                                             CAP_LEASE,
                                                                             CAP_AUDIT_WRITE,
                                                                             CAP_AUDIT_CONTROL,
                                                                             CAP_SETFCAP);

struct Limit {
    int resource;
    rlimit value;
};

// The limits of init on a freshly booted machine, independent of the daemon's own limits.
constexpr std::array kLimits{
    Limit{RLIMIT_NOFILE, {1024, 524288}},
    Limit{RLIMIT_STACK, {8UL << 20, RLIM_INFINITY}},
    Limit{RLIMIT_CORE, {0, RLIM_INFINITY}},
    Limit{RLIMIT_MEMLOCK, {8UL << 20, 8UL << 20}},
    Limit{RLIMIT_CPU, {RLIM_INFINITY, RLIM_INFINITY}},
    Limit{RLIMIT_DATA, {RLIM_INFINITY, RLIM_INFINITY}},
    Limit{RLIMIT_FSIZE, {RLIM_INFINITY, RLIM_INFINITY}},
    Limit{RLIMIT_AS, {RLIM_INFINITY, RLIM_INFINITY}},
    Limit{RLIMIT_RSS, {RLIM_INFINITY, RLIM_INFINITY}},
    Limit{RLIMIT_LOCKS, {RLIM_INFINITY, RLIM_INFINITY}},
    Limit{RLIMIT_NICE, {0, 0}},
    Limit{RLIMIT_RTPRIO, {0, 0}},
};

} // namespace

Status set_tenant_limits() {
    for (const Limit& limit : kLimits) {
        RETURN_IF_ERROR(kernel::set_limit(limit.resource, limit.value));
    }
    return {};
}

void reset_oom_adjustment(int proc, const std::string& process) {
    // The kernel refuses this when the least value is higher; then there is nothing to reset.
    (void)kernel::write_control(proc, process + "/oom_score_adj", "0");
}

Status reset_session_oom_adjustment(int proc) {
    ASSIGN_OR_RETURN(const kernel::CapabilitySet permitted, kernel::permitted_capabilities());
    RETURN_IF_ERROR(kernel::set_capabilities(permitted, permitted));
    reset_oom_adjustment(proc, "self");
    return {};
}

Status confine(std::string_view seccomp_program) {
    RETURN_IF_ERROR(kernel::limit_bounding_set(kTenantCapabilities));
    return kernel::load_seccomp(std::span(
        reinterpret_cast<const unsigned char*>(seccomp_program.data()), seccomp_program.size()));
}

} // namespace lodge::monitor
