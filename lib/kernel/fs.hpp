#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace lodge::kernel {

/// Descriptor of a directory. Our paths are relative to one, as in openat(2).
using DirFd = UniqueFd;

/// open(2) with O_CLOEXEC added.
[[nodiscard]] Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0);
[[nodiscard]] Result<UniqueFd>
open_at(int dir_fd, const std::string& path, int flags, mode_t mode = 0);
/// An O_DIRECTORY descriptor that does not follow a final symlink.
[[nodiscard]] Result<DirFd> open_directory(const std::string& path);
[[nodiscard]] Result<DirFd> open_directory_at(int dir_fd, const std::string& path);

/// How openat2(2) resolves a path in a tree whose owner may be hostile.
enum class Resolve {
    beneath_no_symlinks, ///< refuses symlinks, magic links and `..` above the root
    in_root,             ///< symlinks resolve as if `dir_fd` were `/`; magic links refused
};
[[nodiscard]] Result<UniqueFd>
open_hostile(int dir_fd, const std::string& path, int flags, mode_t mode, Resolve resolve);
/// Opens a file to read or to inspect it; never waits for the writer of a FIFO. nullopt when the
/// tree is the reason that it cannot be opened: the file is missing, a loop of symlinks or a
/// socket. An error means that the host is the reason: lack of descriptors, or a failing disk.
[[nodiscard]] Result<std::optional<UniqueFd>> open_hostile_if_there(
    int dir_fd, const std::string& path, int flags, Resolve resolve = Resolve::in_root);
/// Whether `path` in the root `tree_fd` is a 32-bit program (man 5 elf: ELFCLASS32). The tree may
/// be hostile. False when the file is missing or is no program.
[[nodiscard]] Result<bool> is_32_bit_program(int tree_fd, const std::string& path);

/// The whole content; fails with resource_exhausted when it is longer than `limit` bytes.
[[nodiscard]] Result<std::string> read_all(int fd, std::size_t limit);
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit);
/// Writes all of `data`, through short writes and EINTR.
[[nodiscard]] Status write_all(int fd, std::string_view data);
/// One write(2) of a kernel control file (/proc, cgroupfs), where a value must arrive whole.
[[nodiscard]] Status write_control(int dir_fd, const std::string& path, std::string_view value);

/// Replaces the file so that a reader or a crash sees the old or the new content, never a part:
/// temporary file, fsync, rename, fsync of the directory.
[[nodiscard]] Status
replace_file(int dir_fd, const std::string& name, std::string_view content, mode_t mode);

/// mkdir(2) with exactly `mode`, independent of the umask: the daemon's umask hides files, but a
/// container must be able to walk its own tree and its control group. An existing directory, or a
/// symlink to one, is success and stays as it is. Not for directories that others can rename in.
[[nodiscard]] Status make_directory(const std::string& path, mode_t mode);
[[nodiscard]] Status make_directory_at(int dir_fd, const std::string& name, mode_t mode);
/// Makes each missing component with `mode`.
[[nodiscard]] Status make_directories(const std::string& path, mode_t mode);

/// Removes `name` below `dir_fd` and its content at any depth. Never follows a symlink. `busy` for
/// a mount point, which stays. A missing entry is success.
[[nodiscard]] Status remove_tree_at(int dir_fd, const std::string& name);

/// Calls `visit` for each entry except . and .. ; stops at the first error.
[[nodiscard]] Status
for_each_entry(int dir_fd,
               const std::function<Status(const std::string& name, unsigned char type)>& visit);

/// Takes flock(2) LOCK_EX on the open file description of `fd` and retries until the deadline.
/// `busy` when another process still holds the lock then. The lock of a killed process is held
/// until its last child between fork and exec has closed the descriptor too, so a deadline of zero
/// is rarely right.
[[nodiscard]] Status lock_exclusively(int fd, const Deadline& deadline);

} // namespace lodge::kernel
