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

/// Takes everything but `keep` out of the bounding set, for good. Capabilities that this kernel
/// does not know are passed over.
[[nodiscard]] Status limit_bounding_set(CapabilitySet keep);
/// The permitted set. Root of a host that is itself confined lacks some.
[[nodiscard]] Result<CapabilitySet> permitted_capabilities();
/// Sets these two, inheritable and ambient to none. Pre: `effective` is a part of `permitted`, and
/// that of what is permitted now.
[[nodiscard]] Status set_capabilities(CapabilitySet permitted, CapabilitySet effective);

/// setgroups, setresgid, setresuid: all ids of the thread. Groups first: without the user id's
/// power they could not be set any more.
[[nodiscard]] Status become(uid_t user, gid_t group, std::span<const gid_t> groups);

/// Sets the effective user id, and with it the filesystem's, and keeps the capabilities; then
/// forbids tracing again. Pre: CAP_SETUID and CAP_SETPCAP. Undone by act_as(0).
[[nodiscard]] Status act_as(uid_t user);

/// Filesystem ids other than 0 that keep the capabilities (SECBIT_NO_SETUID_FIXUP), for as long as
/// the object lives. overlayfs remembers them from its mount(2) and makes its own files with them.
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

/// setrlimit(2), as near as possible: without CAP_SYS_RESOURCE the hard limit cannot be raised, so
/// it stays and bounds the soft one. False: it is lower than asked.
[[nodiscard]] Result<bool> set_limit(int resource, const rlimit& wanted);

/// PR_SET_DUMPABLE 0: nobody without CAP_SYS_PTRACE over the user namespace this program was
/// exec'ed in can trace us or use our /proc/PID/{exe,fd,mem,...}. The kernel may set it anew with
/// each change of credentials, so repeat it after those.
[[nodiscard]] Status forbid_tracing();
/// PR_SET_PDEATHSIG; a change of credentials clears it.
[[nodiscard]] Status die_with_parent();

/// Loads a compiled filter (struct sock_filter[]). Needs CAP_SYS_ADMIN in the own user namespace,
/// as no_new_privs stays off (sudo must work).
[[nodiscard]] Status load_seccomp(std::span<const unsigned char> program);

/// Signals as a new program expects them: all at their default, none blocked.
void reset_signals();

} // namespace lodge::kernel
