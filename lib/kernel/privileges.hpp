#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <span>

#include <sys/resource.h>
#include <sys/types.h>

/// Privileges of a process: ids, capabilities, limits, the system call filter. All functions
/// concern the calling thread and use raw system calls, so that they work between clone and exec.
namespace lodge::kernel {

/// A set of capabilities, bit n is capability n (linux/capability.h).
using CapabilitySet = std::uint64_t;

template <typename... Numbers>
[[nodiscard]] constexpr CapabilitySet capability_set(Numbers... numbers) {
    return ((CapabilitySet{1} << numbers) | ... | CapabilitySet{0});
}

/// Drops all capabilities but `keep` from the bounding set, irreversibly. Ignores capabilities that
/// this kernel does not know.
[[nodiscard]] Status limit_bounding_set(CapabilitySet keep);
/// The permitted set. On a confined host (a container) root lacks some capabilities.
[[nodiscard]] Result<CapabilitySet> permitted_capabilities();
/// Sets the permitted and the effective set, and clears the inheritable and the ambient set. Pre:
/// `effective` is a subset of `permitted`, and `permitted` is a subset of the current permitted
/// set.
[[nodiscard]] Status set_capabilities(CapabilitySet permitted, CapabilitySet effective);

/// setgroups, setresgid, setresuid: all ids of the thread. Groups first: after setresuid(2) the
/// thread has no privilege to set them.
[[nodiscard]] Status become(uid_t user, gid_t group, std::span<const gid_t> groups);

/// Sets the effective user id, and with it the filesystem's, and keeps the capabilities; then
/// forbids tracing again. Pre: CAP_SETUID and CAP_SETPCAP. Undone by act_as(0).
[[nodiscard]] Status act_as(uid_t user);

/// Filesystem ids other than 0 with unchanged capabilities (SECBIT_NO_SETUID_FIXUP), during the
/// life of the object. overlayfs stores the ids of the mounter and makes its own files with them.
class FilesystemIds {
  public:
    static Result<FilesystemIds> assume(uid_t user, gid_t group);
    FilesystemIds(FilesystemIds&& other) noexcept : active_(other.active_) {
        other.active_ = false;
    }
    FilesystemIds& operator=(FilesystemIds&&) = delete;
    FilesystemIds(const FilesystemIds&) = delete;
    FilesystemIds& operator=(const FilesystemIds&) = delete;
    ~FilesystemIds();

  private:
    FilesystemIds() = default;
    bool active_ = true;
};

/// setrlimit(2), as near to `wanted` as possible: without CAP_SYS_RESOURCE the hard limit cannot be
/// raised, so it stays and bounds the soft limit. False: the limit is lower than `wanted`.
[[nodiscard]] Result<bool> set_limit(int resource, const rlimit& wanted);

/// PR_SET_DUMPABLE 0: nobody without CAP_SYS_PTRACE over the user namespace this program was
/// exec'ed in can trace us or use our /proc/PID/{exe,fd,mem,...}. The kernel may reset the flag at
/// each change of credentials, so call this again after each.
[[nodiscard]] Status forbid_tracing();
/// PR_SET_PDEATHSIG; a change of credentials clears it.
[[nodiscard]] Status die_with_parent();

/// Loads a compiled filter (struct sock_filter[]). Needs CAP_SYS_ADMIN in the caller's user
/// namespace, because no_new_privs stays off (sudo must work in the container).
[[nodiscard]] Status load_seccomp(std::span<const unsigned char> program);

/// Sets the signals as a new program expects them: default actions, none blocked.
void reset_signals();

} // namespace lodge::kernel
