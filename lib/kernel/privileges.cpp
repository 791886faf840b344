#include "lib/kernel/privileges.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::kernel {

Status limit_bounding_set(CapabilitySet keep) {
    constexpr int kMostCapabilities = 64;
    for (int capability = 0; capability < kMostCapabilities; ++capability) {
        if ((keep & capability_set(capability)) != 0) {
            continue;
        }
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            if (errno == EINVAL) {
                return {}; // above the last capability that this kernel knows
            }
            return fail_errno("prctl(PR_CAPBSET_DROP)");
        }
    }
    return {};
}

namespace {

constexpr unsigned kBitsPerWord = 32;
using CapabilityWords = std::array<__user_cap_data_struct, 2>; // the lower half first

} // namespace

Result<CapabilitySet> permitted_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    CapabilityWords data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) {
        return fail_errno("capget");
    }
    return CapabilitySet{data[1].permitted} << kBitsPerWord | data[0].permitted;
}

Status set_capabilities(CapabilitySet permitted, CapabilitySet effective) {
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
        return fail_errno("prctl(PR_CAP_AMBIENT_CLEAR_ALL)");
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    CapabilityWords data{};
    data[0].permitted = static_cast<__u32>(permitted);
    data[1].permitted = static_cast<__u32>(permitted >> kBitsPerWord);
    data[0].effective = static_cast<__u32>(effective);
    data[1].effective = static_cast<__u32>(effective >> kBitsPerWord);
    if (::syscall(SYS_capset, &header, data.data()) != 0) {
        return fail_errno("capset");
    }
    return {};
}

Status become(uid_t user, gid_t group, std::span<const gid_t> groups) {
    if (::setgroups(groups.size(), groups.data()) != 0) {
        return fail_errno("setgroups");
    }
    if (::setresgid(group, group, group) != 0) {
        return fail_errno("setresgid", std::to_string(group));
    }
    if (::setresuid(user, user, user) != 0) {
        return fail_errno("setresuid", std::to_string(user));
    }
    return {};
}

Status act_as(uid_t user) {
    if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0) {
        return fail_errno("prctl(PR_SET_SECUREBITS)");
    }
    constexpr auto kAsItIs = static_cast<uid_t>(-1);
    if (::setresuid(kAsItIs, user, kAsItIs) != 0) {
        return fail_errno("setresuid", std::to_string(user));
    }
    if (::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) != 0) {
        return fail_errno("prctl(PR_SET_SECUREBITS)");
    }
    return forbid_tracing();
}

Result<FilesystemIds> FilesystemIds::assume(uid_t user, gid_t group) {
    if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0) {
        return fail_errno("prctl(PR_SET_SECUREBITS)");
    }
    FilesystemIds guard;
    (void)::setfsgid(group);
    (void)::setfsuid(user);
    // setfsuid(2) and setfsgid(2) return the former id and report no error. A second call with an
    // invalid id returns the current one.
    const auto invalid = static_cast<uid_t>(-1);
    if (static_cast<uid_t>(::setfsuid(invalid)) != user ||
        static_cast<gid_t>(::setfsgid(invalid)) != group) {
        return fail(ErrorCode::permission_denied, "setfsuid: the filesystem ids did not change");
    }
    return guard;
}

FilesystemIds::~FilesystemIds() {
    if (active_) {
        (void)::setfsuid(0); // to the real ids: always permitted
        (void)::setfsgid(0);
        (void)::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0);
    }
}

Result<bool> set_limit(int resource, const rlimit& wanted) {
    const auto which = static_cast<__rlimit_resource>(resource);
    if (::setrlimit(which, &wanted) == 0) {
        return true;
    }
    rlimit limit{};
    if (errno != EPERM || ::getrlimit(which, &limit) != 0) {
        return fail_errno("setrlimit");
    }
    limit.rlim_max = wanted.rlim_max < limit.rlim_max ? wanted.rlim_max : limit.rlim_max;
    limit.rlim_cur = wanted.rlim_cur < limit.rlim_max ? wanted.rlim_cur : limit.rlim_max;
    if (::setrlimit(which, &limit) != 0) {
        return fail_errno("setrlimit");
    }
    return false;
}

Status forbid_tracing() {
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return fail_errno("prctl(PR_SET_DUMPABLE)");
    }
    return {};
}

Status die_with_parent() {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return fail_errno("prctl(PR_SET_PDEATHSIG)");
    }
    return {};
}

Status load_seccomp(std::span<const unsigned char> program) {
    if (program.empty() || program.size() % sizeof(sock_filter) != 0) {
        return fail(ErrorCode::invalid_argument, "the seccomp program has a broken length");
    }
    sock_fprog filter{};
    filter.len = static_cast<unsigned short>(program.size() / sizeof(sock_filter));
    // The kernel only reads the program.
    filter.filter = reinterpret_cast<sock_filter*>(const_cast<unsigned char*>(program.data()));
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
        return fail_errno("seccomp");
    }
    return {};
}

void reset_signals() {
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action{};
        action.sa_handler = SIG_DFL;
        (void)::sigaction(number, &action, nullptr); // fails for SIGKILL, SIGSTOP and libc's two
    }
    sigset_t none;
    (void)::sigemptyset(&none);
    (void)::pthread_sigmask(SIG_SETMASK, &none, nullptr); // cannot fail with valid arguments
}

} // namespace lodge::kernel
