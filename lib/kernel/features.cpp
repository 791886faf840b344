#include "lib/kernel/features.hpp"

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/kernel/fs.hpp"

#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::kernel {

namespace {

// fsopen(2) loads the filesystem's module. It fails with ENODEV when there is none.
std::string without_filesystem(const char* type) {
    const UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)));
    if (context.get() >= 0) {
        return {};
    }
    return errno == ENODEV ? std::string("this kernel has no ") + type
                           : Error::from_errno("fsopen", type, errno).to_string();
}

std::string without_idmapped_mounts() {
    // EINVAL: no attributes are shorter than the first version's.
    const long called = ::syscall(SYS_mount_setattr, -1, "", 0, nullptr, 0);
    return called < 0 && errno == ENOSYS ? "this kernel has no mount_setattr(2)" : "";
}

std::string without_user_namespaces() {
    const auto most = read_file("/proc/sys/user/max_user_namespaces", 32);
    if (!most) {
        return "this kernel has no user namespaces";
    }
    return *most == "0\n" ? "user.max_user_namespaces is 0" : "";
}

std::string without_seccomp() {
    const unsigned int action = SECCOMP_RET_ERRNO;
    return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0
               ? ""
               : Error::from_errno("seccomp", "SECCOMP_RET_ERRNO", errno).to_string();
}

std::string without_loop_devices() {
    const auto control = open_file("/dev/loop-control", O_RDWR);
    return control ? "" : control.error().to_string();
}

} // namespace

std::vector<Feature> features() {
    return {
        {"erofs", "templates are images of it", without_filesystem("erofs")},
        {"overlay", "a shared root is a layer over its template", without_filesystem("overlay")},
        {"ext4", "volumes hold it", without_filesystem("ext4")},
        {"loop", "volumes are image files", without_loop_devices()},
        {"idmap", "on disk, ids are the container's own", without_idmapped_mounts()},
        {"userns", "root of a container is nobody outside", without_user_namespaces()},
        {"seccomp", "system calls that no tenant needs are refused", without_seccomp()},
    };
}

} // namespace lodge::kernel
