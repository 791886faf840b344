#include "lib/cgroup/limits.hpp"

#include <algorithm>
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

// libcgroup keeps the mount table in global variables, so only one thread at a time may call it.
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

// Reads the mounts only once: the cost of a read grows with the number of running containers. Pre:
// the caller holds the lock.
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

constexpr std::uint64_t kCpuPeriodMicros = 100'000;
constexpr const char* kNone = "max"; // the kernel's word for "no limit"

Status limit_memory(::cgroup* group, int group_fd, std::optional<std::uint64_t> bytes) {
    RETURN_IF_ERROR(
        set_value(group, "memory", "memory.max", bytes ? std::to_string(*bytes) : kNone));
    // The memory limit must not be extended by swap: without this a tenant could fill the host's
    // swap. A kernel without swap does not have this file.
    if (::faccessat(group_fd, "memory.swap.max", F_OK, 0) == 0) {
        return set_value(group, "memory", "memory.swap.max", bytes ? "0" : kNone);
    }
    return {};
}

Status limit_cpu(::cgroup* group, std::optional<std::uint32_t> millis) {
    const std::string quota =
        millis ? std::to_string(*millis * kCpuPeriodMicros / 1000) : std::string(kNone);
    return set_value(group, "cpu", "cpu.max", quota + " " + std::to_string(kCpuPeriodMicros));
}

Status limit_pids(::cgroup* group, std::optional<std::uint32_t> pids) {
    return set_value(group, "pids", "pids.max", pids ? std::to_string(*pids) : kNone);
}

// The controllers whose files are written.
struct Controllers {
    bool memory = false;
    bool cpu = false;
    bool pids = false;
};

Status write_limits(const std::string& group,
                    int group_fd,
                    const Limits& limits,
                    const Controllers& controllers) {
    if (!controllers.memory && !controllers.cpu && !controllers.pids) {
        return {};
    }
    const std::lock_guard guard(libcgroup_lock());
    RETURN_IF_ERROR(initialise());
    const std::unique_ptr<::cgroup, GroupFree> object(cgroup_new_cgroup(group.c_str()));
    if (!object) {
        return fail(ErrorCode::resource_exhausted, "no memory for a cgroup request");
    }
    if (controllers.memory) {
        RETURN_IF_ERROR(limit_memory(object.get(), group_fd, limits.memory_bytes));
    }
    if (controllers.cpu) {
        RETURN_IF_ERROR(limit_cpu(object.get(), limits.cpu_millis));
    }
    if (controllers.pids) {
        RETURN_IF_ERROR(limit_pids(object.get(), limits.pids));
    }
    return check(cgroup_modify_cgroup(object.get()), "write the limits of " + group);
}

} // namespace

Status apply_limits(const std::string& group, int group_fd, const Limits& limits) {
    return write_limits(group,
                        group_fd,
                        limits,
                        {.memory = limits.memory_bytes.has_value(),
                         .cpu = limits.cpu_millis.has_value(),
                         .pids = limits.pids.has_value()});
}

Status change_limits(const std::string& group,
                     int group_fd,
                     const Limits& limits,
                     const std::vector<std::string>& controllers) {
    const auto has = [&](const char* name) {
        return std::find(controllers.begin(), controllers.end(), name) != controllers.end();
    };
    return write_limits(
        group, group_fd, limits, {.memory = has("memory"), .cpu = has("cpu"), .pids = has("pids")});
}

} // namespace lodge::cgroup
