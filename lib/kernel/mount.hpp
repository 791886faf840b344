#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lodge::kernel {

/// A mount held by descriptor (open_tree(2), fsmount(2)). The kernel dissolves a detached mount
/// when the last descriptor of it closes, so a crash cannot leak it.
using MountFd = UniqueFd;

struct FilesystemOption {
    std::string key;
    std::string value; ///< empty: a flag
};

struct NewFilesystem {
    std::string type;                      ///< "ext4", "erofs", "overlay", "tmpfs", "proc", ...
    std::string source;                    ///< device or file; empty where the type has none
    std::vector<FilesystemOption> options; ///< in this order
    bool read_only = false;                ///< the superblock itself
    std::uint64_t attributes = 0;          ///< MOUNT_ATTR_* of the mount
};

/// fsopen(2), fsconfig(2), fsmount(2): a detached mount of a new superblock. The kernel's messages
/// (read from the fs context) become part of the error.
[[nodiscard]] Result<MountFd> new_mount(const NewFilesystem& filesystem);

/// A detached clone of the mount at `path` below `dir_fd` (AT_FDCWD and an absolute path, or a
/// mount descriptor and "" or a relative path). `recursive` clones submounts as well.
[[nodiscard]] Result<MountFd>
clone_mount(int dir_fd, const std::string& path, bool recursive = false);

struct MountAttributes {
    std::uint64_t set = 0;         ///< MOUNT_ATTR_*
    std::uint64_t clear = 0;       ///< MOUNT_ATTR_*
    std::uint64_t propagation = 0; ///< MS_PRIVATE, MS_SLAVE, ... or 0
    int userns_fd = -1;            ///< with MOUNT_ATTR_IDMAP in `set`
    bool recursive = false;
};
/// mount_setattr(2). An idmap can be given only to a detached mount that never had one.
[[nodiscard]] Status set_mount_attributes(int mount_fd, const MountAttributes& attributes);

/// Attaches a detached mount at `path` (below `dir_fd`), or moves an attached one there.
[[nodiscard]] Status attach_mount(int mount_fd, int dir_fd, const std::string& path);

/// umount2(2) with MNT_DETACH: removes the mount from the namespace at once; the kernel dissolves
/// it when it is no longer used. Success when nothing is mounted at `path`.
[[nodiscard]] Status detach_mount(const std::string& path);

/// One line of /proc/PID/mountinfo (man 5 proc), with octal escapes decoded.
struct MountInfo {
    std::uint64_t id = 0;
    std::uint64_t parent_id = 0;
    std::string root;
    std::string mount_point;
    std::string options;
    std::string type;
    std::string source;
    std::string super_options;
};
/// Pure; refuses a line that is not of the documented form.
[[nodiscard]] Result<std::vector<MountInfo>> parse_mountinfo(std::string_view text);
/// The mounts of this process.
[[nodiscard]] Result<std::vector<MountInfo>> read_mountinfo();

} // namespace lodge::kernel
