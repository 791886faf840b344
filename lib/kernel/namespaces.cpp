#include "lib/kernel/namespaces.hpp"

#include "lib/kernel/fs.hpp"

#include <string>

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::kernel {

Status unshare_namespaces(int flags) {
    if (::unshare(flags) != 0) {
        return fail_errno("unshare");
    }
    return {};
}

Status join_namespaces(int fd, int flags) {
    if (::setns(fd, flags) != 0) {
        return fail_errno("setns");
    }
    return {};
}

Status write_id_maps(int proc_fd, pid_t pid, const IdMap& map) {
    const std::string line =
        "0 " + std::to_string(map.base) + " " + std::to_string(map.count) + "\n";
    const std::string directory = std::to_string(pid);
    RETURN_IF_ERROR(write_control(proc_fd, directory + "/uid_map", line));
    return write_control(proc_fd, directory + "/gid_map", line);
}

Status pivot_into(int new_root) {
    if (::fchdir(new_root) != 0) {
        return fail_errno("fchdir", "the new root");
    }
    // With both arguments the same, the old root is mounted on top of the new one. "." still is the
    // new root, and umount2(2) unmounts the old one (man 2 pivot_root, "pivot_root(".", ".")").
    if (::syscall(SYS_pivot_root, ".", ".") != 0) {
        return fail_errno("pivot_root");
    }
    if (::umount2(".", MNT_DETACH) != 0) {
        return fail_errno("umount2", "the old root");
    }
    if (::chdir("/") != 0) {
        return fail_errno("chdir", "/");
    }
    return {};
}

} // namespace lodge::kernel
