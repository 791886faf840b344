#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::kernel {

namespace {

struct DirCloser {
    void operator()(DIR* dir) const { (void)::closedir(dir); }
};
using DirStream = std::unique_ptr<DIR, DirCloser>;

Result<DirStream> open_stream(int dir_fd) {
    // A new open file description, so that the caller's offset does not change.
    ASSIGN_OR_RETURN(UniqueFd own, open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY));
    DirStream stream(::fdopendir(own.get()));
    if (!stream) {
        return fail_errno("fdopendir");
    }
    (void)own.release(); // the stream owns it now
    return stream;
}

// One removal of a tree. The walk holds a descriptor for each level. A directory that lies too deep
// for this is moved to the top of the tree and removed in the next round, so that a tree of any
// depth can be removed.
struct Removal {
    int top_fd = -1; ///< the tree's own root, once it is known to be a directory
    unsigned moved = 0;
};
constexpr unsigned kMostLevels = 64;

Status remove_entry(int dir_fd, const std::string& name, Removal& removal, unsigned depth);

Status empty_directory(int dir_fd, Removal& removal, unsigned depth) {
    return for_each_entry(dir_fd, [&](const std::string& name, unsigned char) {
        return remove_entry(dir_fd, name, removal, depth);
    });
}

Status empty_in_rounds(int dir_fd, Removal& removal) {
    unsigned before = 0;
    do {
        before = removal.moved;
        RETURN_IF_ERROR(empty_directory(dir_fd, removal, 1));
    } while (removal.moved != before);
    return {};
}

Status move_to_top(int dir_fd, const std::string& name, Removal& removal) {
    while (true) {
        const std::string other = ".lodge-removed-" + std::to_string(removal.moved++);
        if (::syscall(SYS_renameat2,
                      dir_fd,
                      name.c_str(),
                      removal.top_fd,
                      other.c_str(),
                      RENAME_NOREPLACE) == 0) {
            return {};
        }
        if (errno != EEXIST) {
            return fail_errno("rename", name);
        }
    }
}

// Opens a directory. `busy` when a filesystem is mounted on it, also by a bind mount of the same
// filesystem.
Result<DirFd> open_unmounted(int dir_fd, const std::string& name) {
    struct open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    DirFd child(static_cast<int>(::syscall(SYS_openat2, dir_fd, name.c_str(), &how, sizeof how)));
    if (!child && errno == EXDEV) {
        return fail(ErrorCode::busy,
                    "'" + name + "' is a mount point; nothing below it was removed");
    }
    if (!child) {
        return fail_errno("openat2", name);
    }
    return child;
}

Status remove_directory(int dir_fd, const std::string& name, Removal& removal, unsigned depth) {
    ASSIGN_OR_RETURN(const DirFd child, open_unmounted(dir_fd, name));
    if (depth == 0) {
        removal.top_fd = child.get();
        return empty_in_rounds(child.get(), removal);
    }
    return empty_directory(child.get(), removal, depth + 1);
}

Status remove_entry(int dir_fd, const std::string& name, Removal& removal, unsigned depth) {
    if (::unlinkat(dir_fd, name.c_str(), 0) == 0 || errno == ENOENT) {
        return {};
    }
    // unlink(2) of a directory fails with EISDIR on Linux, with EPERM in POSIX.
    if (errno != EISDIR && errno != EPERM) {
        return fail_errno("unlinkat", name);
    }
    if (depth > kMostLevels) {
        return move_to_top(dir_fd, name, removal);
    }
    RETURN_IF_ERROR(remove_directory(dir_fd, name, removal, depth));
    if (::unlinkat(dir_fd, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return fail_errno("rmdir", name);
    }
    return {};
}

Status sync_fd(int fd, const std::string& name) {
    if (::fsync(fd) != 0) {
        return fail_errno("fsync", name);
    }
    return {};
}

} // namespace

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
    return open_at(AT_FDCWD, path, flags, mode);
}

Result<UniqueFd> open_at(int dir_fd, const std::string& path, int flags, mode_t mode) {
    UniqueFd fd(::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd) {
        return fail_errno("open", path);
    }
    return fd;
}

Result<DirFd> open_directory(const std::string& path) {
    return open_directory_at(AT_FDCWD, path);
}

Result<DirFd> open_directory_at(int dir_fd, const std::string& path) {
    return open_at(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<UniqueFd>
open_hostile(int dir_fd, const std::string& path, int flags, mode_t mode, Resolve resolve) {
    struct open_how how{};
    how.flags = static_cast<__u64>(flags | O_CLOEXEC);
    how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = resolve == Resolve::in_root
                      ? RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
                      : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: a rename raced with the walk (man 2 openat2). A hostile owner can cause this again
    // and again, so the number of attempts is bounded.
    for (int attempt = 0; attempt < 32; ++attempt) {
        const long fd = ::syscall(SYS_openat2, dir_fd, path.c_str(), &how, sizeof how);
        if (fd >= 0) {
            return UniqueFd(static_cast<int>(fd));
        }
        if (errno != EAGAIN && errno != EINTR) {
            break;
        }
    }
    return fail_errno("openat2", path);
}

Result<std::optional<UniqueFd>>
open_hostile_if_there(int dir_fd, const std::string& path, int flags, Resolve resolve) {
    const int waiting = (flags & O_PATH) != 0 ? 0 : O_NONBLOCK; // openat2(2) refuses both
    auto file = open_hostile(dir_fd, path, flags | waiting, 0, resolve);
    if (file) {
        return std::optional(std::move(*file));
    }
    constexpr std::array kOfTheTree{
        ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EACCES, ENXIO, ENODEV, EXDEV, EAGAIN};
    const int number = file.error().sys_errno();
    if (std::find(kOfTheTree.begin(), kOfTheTree.end(), number) != kOfTheTree.end()) {
        return std::optional<UniqueFd>();
    }
    return std::unexpected<Error>(file.error());
}

Result<bool> is_32_bit_program(int tree_fd, const std::string& path) {
    constexpr std::string_view kElf32 = "\177ELF\1"; // e_ident up to EI_CLASS
    ASSIGN_OR_RETURN(const auto file, open_hostile_if_there(tree_fd, path, O_RDONLY));
    std::array<char, kElf32.size()> head{};
    return file && ::pread(file->get(), head.data(), head.size(), 0) == std::ssize(head) &&
           std::string_view(head.data(), head.size()) == kElf32;
}

Result<std::string> read_all(int fd, std::size_t limit) {
    std::string content;
    std::array<char, 16384> chunk{};
    while (true) {
        const ssize_t size = ::read(fd, chunk.data(), chunk.size());
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail_errno("read");
        }
        if (size == 0) {
            return content;
        }
        if (content.size() + static_cast<std::size_t>(size) > limit) {
            return fail(ErrorCode::resource_exhausted,
                        "content is longer than " + std::to_string(limit) + " bytes");
        }
        content.append(chunk.data(), static_cast<std::size_t>(size));
    }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    ASSIGN_OR_RETURN(const UniqueFd fd, open_file(path, O_RDONLY));
    return with_context(read_all(fd.get(), limit), "read '" + path + "'");
}

Status write_all(int fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t size = ::write(fd, data.data(), data.size());
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail_errno("write");
        }
        data.remove_prefix(static_cast<std::size_t>(size));
    }
    return {};
}

Status write_control(int dir_fd, const std::string& path, std::string_view value) {
    ASSIGN_OR_RETURN(const UniqueFd fd, open_at(dir_fd, path, O_WRONLY));
    const ssize_t size = ::write(fd.get(), value.data(), value.size());
    if (size < 0) {
        return fail_errno("write", path);
    }
    if (size != static_cast<ssize_t>(value.size())) {
        return fail(ErrorCode::kernel, "'" + path + "' took only a part of the value");
    }
    return {};
}

Status replace_file(int dir_fd, const std::string& name, std::string_view content, mode_t mode) {
    const std::string temporary = "." + name + ".new";
    // A file that a crash left under this name has its own mode and perhaps other links: never
    // reuse it.
    if (::unlinkat(dir_fd, temporary.c_str(), 0) != 0 && errno != ENOENT) {
        return fail_errno("unlinkat", temporary);
    }
    const auto replace = [&]() -> Status {
        ASSIGN_OR_RETURN(const UniqueFd fd,
                         open_at(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
        RETURN_IF_ERROR(write_all(fd.get(), content));
        RETURN_IF_ERROR(sync_fd(fd.get(), temporary));
        if (::renameat(dir_fd, temporary.c_str(), dir_fd, name.c_str()) != 0) {
            return fail_errno("rename", name);
        }
        ASSIGN_OR_RETURN(const UniqueFd directory, open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY));
        return sync_fd(directory.get(), name);
    };
    Status status = replace();
    if (!status) {
        (void)::unlinkat(
            dir_fd, temporary.c_str(), 0); // best effort: the function returns the first error
    }
    return status;
}

Status make_directory(const std::string& path, mode_t mode) {
    return make_directory_at(AT_FDCWD, path, mode);
}

Status make_directory_at(int dir_fd, const std::string& name, mode_t mode) {
    if (::mkdirat(dir_fd, name.c_str(), mode) == 0) {
        return ::fchmodat(dir_fd, name.c_str(), mode, 0) == 0 ? Status()
                                                              : fail_errno("chmod", name);
    }
    const int error_number = errno;
    struct stat info{};
    if (error_number == EEXIST && ::fstatat(dir_fd, name.c_str(), &info, 0) == 0 &&
        S_ISDIR(info.st_mode)) {
        return {};
    }
    return fail_errno("mkdir", name, error_number);
}

Status make_directories(const std::string& path, mode_t mode) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        RETURN_IF_ERROR(make_directory(path.substr(0, slash), mode));
    }
    return make_directory(path, mode);
}

Status remove_tree_at(int dir_fd, const std::string& name) {
    Removal removal;
    return remove_entry(dir_fd, name, removal, 0);
}

Status
for_each_entry(int dir_fd,
               const std::function<Status(const std::string& name, unsigned char type)>& visit) {
    ASSIGN_OR_RETURN(const DirStream stream, open_stream(dir_fd));
    while (true) {
        errno = 0;
        // readdir(3) is safe on a stream that only this call knows.
        const dirent* entry = ::readdir(stream.get()); // NOLINT(concurrency-mt-unsafe): own stream
        if (entry == nullptr) {
            if (errno != 0) {
                return fail_errno("readdir");
            }
            return {};
        }
        const std::string name(static_cast<const char*>(entry->d_name));
        if (name != "." && name != "..") {
            RETURN_IF_ERROR(visit(name, entry->d_type));
        }
    }
}

// Polls the lock, because a blocking flock(2) has no deadline.
Status lock_exclusively(int fd, const Deadline& deadline) {
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail_errno("flock");
        }
        if (deadline.expired()) {
            return fail(ErrorCode::busy, "somebody else holds the lock");
        }
        const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
        (void)::nanosleep(&pause, nullptr); // a signal only makes the next attempt earlier
    }
    return {};
}

} // namespace lodge::kernel
