#include "daemon/monitor/start.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/namespaces.hpp"
#include "lib/kernel/privileges.hpp"

#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

// Where the layers are attached while overlayfs is mounted over them: before Linux 6.15 it takes
// layers only by paths of the current mount namespace.
constexpr const char* kVolume = "/volume";
constexpr const char* kLower = "/lower";
constexpr const char* kProc = "/proc";
constexpr const char* kSys = "/sys";

Status mount_here(const char* type, const char* path) {
    ASSIGN_OR_RETURN(const kernel::MountFd mount,
                     kernel::new_mount(kernel::NewFilesystem{
                         .type = type,
                         .source = type,
                         .options = {},
                         .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC}));
    return kernel::attach_mount(mount.get(), AT_FDCWD, path);
}

Status map_ids(int mount_fd, int userns_fd, std::uint64_t attributes) {
    return kernel::set_mount_attributes(
        mount_fd,
        kernel::MountAttributes{.set = MOUNT_ATTR_IDMAP | attributes, .userns_fd = userns_fd});
}

Result<kernel::MountFd> mount_overlay(std::uint32_t uid_base, bool wide_numbers) {
    // overlayfs makes its own files with the filesystem ids of this call: with those of the host's
    // root, which the id map does not hold, it could make none and would turn read-only
    // (EOVERFLOW).
    ASSIGN_OR_RETURN(const kernel::FilesystemIds ids,
                     kernel::FilesystemIds::assume(uid_base, uid_base));
    // trusted.* attributes (the default, instead of userxattr): the tenant can neither read nor
    // forge them. redirect_dir: a directory of the template can be renamed (else EXDEV). metacopy:
    // a chown or chmod of a large file of the template does not copy it. xino: one st_dev and inode
    // numbers that stay when a file is copied up, which rsync, tar and find rely on; they take 64
    // bits, and a 32-bit program that asks for 32 gets EOVERFLOW for them. index would tie the
    // volume to one mount of one template image (ESTALE after a move), for the sake of hard
    // links between template files that are written to.
    return kernel::new_mount(
        kernel::NewFilesystem{.type = "overlay",
                              .source = "lodge",
                              .options = {{"lowerdir", kLower},
                                          {"upperdir", std::string(kVolume) + "/data/upper"},
                                          {"workdir", std::string(kVolume) + "/data/work"},
                                          {"redirect_dir", "on"},
                                          {"metacopy", "on"},
                                          {"index", "off"},
                                          {"xino", wide_numbers ? "auto" : "off"}},
                              .attributes = MOUNT_ATTR_NODEV});
}

Result<kernel::MountFd> build_shared_root(const Start& start, int userns_fd) {
    RETURN_IF_ERROR(
        with_context(map_ids(start.lower.get(), userns_fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV),
                     "map the ids of the template"));
    RETURN_IF_ERROR(kernel::attach_mount(start.lower.get(), AT_FDCWD, kLower));
    // The type of init decides: with a 32-bit init the whole tree counts as a 32-bit one.
    ASSIGN_OR_RETURN(const bool narrow,
                     kernel::is_32_bit_program(start.lower.get(), start.order.init.front()));
    auto root =
        with_context(mount_overlay(start.order.uid_base, !narrow), "join volume and template");
    // The overlay has clones of its own of both layers.
    RETURN_IF_ERROR(kernel::detach_mount(kLower));
    return root;
}

Result<kernel::MountFd> build_private_root() {
    return with_context(kernel::clone_mount(AT_FDCWD, std::string(kVolume) + "/data/root"),
                        "open the volume's own root");
}

// A mount whose events propagate to the clone's copy of it in its own mount namespace. A mount on
// it arrives in a less privileged user namespace with its flags locked: the tenant cannot take
// `nodev` off its root, as it could from a mount that it attached itself.
Status share_handover() {
    ASSIGN_OR_RETURN(const kernel::MountFd self, kernel::clone_mount(AT_FDCWD, kHandover));
    RETURN_IF_ERROR(kernel::attach_mount(self.get(), AT_FDCWD, kHandover));
    return kernel::set_mount_attributes(self.get(),
                                        kernel::MountAttributes{.propagation = MS_SHARED});
}

} // namespace

Status leave_host_mounts() {
    RETURN_IF_ERROR(kernel::unshare_namespaces(CLONE_NEWNS));
    // Mounts here must not propagate to the host. Mounts there need not reach us for the moment
    // until the old root is dropped.
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        return fail_errno("mount", "/ (private)");
    }
    ASSIGN_OR_RETURN(const kernel::MountFd empty,
                     kernel::new_mount(kernel::NewFilesystem{
                         .type = "tmpfs",
                         .source = "lodge-monitor",
                         .options = {{"mode", "0755"}, {"size", "64k"}, {"nr_inodes", "16"}},
                         .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC}));
    // Any directory can be the mount point, and this one was needed until here, so it exists.
    RETURN_IF_ERROR(kernel::attach_mount(empty.get(), AT_FDCWD, "/proc"));
    RETURN_IF_ERROR(kernel::pivot_into(empty.get()));
    for (const char* directory : {kVolume, kLower, kHandover, kProc, kSys}) {
        RETURN_IF_ERROR(kernel::make_directory(directory, 0755));
    }
    RETURN_IF_ERROR(share_handover());
    // A user namespace may mount proc and sysfs only where its mount namespace shows the whole of
    // one already ("VFS: Mount too revealing"): the clone's copy of this namespace is to have them.
    RETURN_IF_ERROR(mount_here("proc", kProc));
    return mount_here("sysfs", kSys);
}

Status hand_over_root(const kernel::MountFd& root) {
    ASSIGN_OR_RETURN(const UniqueFd below, kernel::open_file(kHandover, O_PATH | O_DIRECTORY));
    RETURN_IF_ERROR(kernel::attach_mount(root.get(), AT_FDCWD, kHandover));
    // The root is in the clone's namespace now. Ours must hold nothing of the volume, and its
    // removal here must not propagate: later mounts here do not concern the clone.
    const kernel::MountAttributes alone{.propagation = MS_PRIVATE};
    RETURN_IF_ERROR(kernel::set_mount_attributes(below.get(), alone));
    RETURN_IF_ERROR(kernel::set_mount_attributes(root.get(), alone));
    RETURN_IF_ERROR(kernel::detach_mount(kHandover));
    return kernel::detach_mount(kHandover);
}

Status leave_start_mounts() {
    RETURN_IF_ERROR(kernel::detach_mount(kProc));
    RETURN_IF_ERROR(kernel::detach_mount(kSys));
    ASSIGN_OR_RETURN(const UniqueFd root, kernel::open_file("/", O_PATH | O_DIRECTORY));
    return kernel::set_mount_attributes(root.get(),
                                        kernel::MountAttributes{.set = MOUNT_ATTR_RDONLY});
}

Result<kernel::MountFd> build_root(const Start& start, int userns_fd) {
    RETURN_IF_ERROR(with_context(map_ids(start.volume.get(), userns_fd, MOUNT_ATTR_NODEV),
                                 "map the ids of the volume"));
    RETURN_IF_ERROR(kernel::attach_mount(start.volume.get(), AT_FDCWD, kVolume));
    auto root =
        start.order.shared_root ? build_shared_root(start, userns_fd) : build_private_root();
    RETURN_IF_ERROR(kernel::detach_mount(kVolume));
    return root;
}

} // namespace lodge::monitor
