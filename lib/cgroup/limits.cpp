#include "lib/cgroup/limits.hpp"

#include <memory>
#include <mutex>

#include <fcntl.h>
#include <libcgroup.h>
#include <unistd.h>

namespace lodge::cgroup {

namespace {

struct GroupFree {
    void operator()(::cgroup* group) const { cgroup_free(&group); }
};

// libcgroup keeps the mount table in global variables: one caller at a time.
std::mutex& libcgroup_lock() {
    static std::mutex lock;
    return lock;
}

Status check(int rc, const std::string& what) {
    if (rc == 0) {
        return {};
    }
    return fail(ErrorCode::kernel, what + ": " + cgroup_strerror(rc));
}

// Reading the mounts anew at every start would cost the more, the more containers run. Pre: the
// lock.
Status initialise() {
    static bool done = false;
    if (!done) {
        RETURN_IF_ERROR(check(cgroup_init(), "find the cgroup mounts"));
        done = true;
    }
    return {};
}

Status
set_value(::cgroup* group, const char* controller, const char* name, const std::string& value) {
    cgroup_controller* control = cgroup_get_controller(group, controller);
    if (control == nullptr) {
        control = cgroup_add_controller(group, controller);
    }
    if (control == nullptr) {
        return fail(ErrorCode::unsupported,
                    std::string("libcgroup does not know the controller ") + controller);
    }
    return check(cgroup_set_value_string(control, name, value.c_str()), std::string("set ") + name);
}

Status limit_memory(::cgroup* group, int group_fd, std::uint64_t bytes) {
    RETURN_IF_ERROR(set_value(group, "memory", "memory.max", std::to_string(bytes)));
    // What was sold as memory is memory: without this a tenant moves into the host's swap. A kernel
    // without swap has no such file, and nowhere to move to.
    if (::faccessat(group_fd, "memory.swap.max", F_OK, 0) == 0) {
        return set_value(group, "memory", "memory.swap.max", "0");
    }
    return {};
}

constexpr std::uint64_t kCpuPeriodMicros = 100'000;

} // namespace

Status apply_limits(const std::string& group, int group_fd, const Limits& limits) {
    if (!limits.memory_bytes && !limits.cpu_millis && !limits.pids) {
        return {};
    }
    const std::lock_guard guard(libcgroup_lock());
    RETURN_IF_ERROR(initialise());
    const std::unique_ptr<::cgroup, GroupFree> object(cgroup_new_cgroup(group.c_str()));
    if (!object) {
        return fail(ErrorCode::resource_exhausted, "no memory for a cgroup request");
    }
    if (limits.memory_bytes) {
        RETURN_IF_ERROR(limit_memory(object.get(), group_fd, *limits.memory_bytes));
    }
    if (limits.cpu_millis) {
        const std::uint64_t quota = *limits.cpu_millis * kCpuPeriodMicros / 1000;
        RETURN_IF_ERROR(set_value(object.get(),
                                  "cpu",
                                  "cpu.max",
                                  std::to_string(quota) + " " + std::to_string(kCpuPeriodMicros)));
    }
    if (limits.pids) {
        RETURN_IF_ERROR(set_value(object.get(), "pids", "pids.max", std::to_string(*limits.pids)));
    }
    return check(cgroup_modify_cgroup(object.get()), "write the limits of " + group);
}

} // namespace lodge::cgroup
