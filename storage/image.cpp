#include "storage/image.hpp"

#include "lib/base/clock.hpp"
#include "lib/base/revert.hpp"
#include "lib/base/units.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"
#include "storage/image_loops.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace lodge::storage {

namespace {

Status check_room(int image_fd, const Volume& volume) {
    struct statvfs host{};
    if (::fstatvfs(image_fd, &host) != 0) {
        return fail_errno("fstatvfs", volume.image_path());
    }
    const std::uint64_t free = std::uint64_t{host.f_bavail} * host.f_frsize;
    constexpr std::uint64_t kSmallestShare = 20;
    if (free < volume.bytes / kSmallestShare) {
        return fail(ErrorCode::no_space,
                    "a volume of " + format_size(volume.bytes) +
                        " needs at least a twentieth of it free on the "
                        "host; there are " +
                        format_size(free >> 20 << 20));
    }
    return {};
}

// The kernel removes the mounts of a dead container in a work queue and does not report its end.
Status lock_image(int image_fd, const Volume& volume, const Deadline& deadline) {
    const Status locked = kernel::lock_exclusively(image_fd, deadline);
    if (!locked && locked.error().code() == ErrorCode::busy) {
        return fail(ErrorCode::busy,
                    "the image '" + volume.image_path() +
                        "' is still in use: something outside of the container holds its "
                        "files, such as a shell that entered it with nsenter(1); end that and "
                        "try again");
    }
    return with_context(locked, "lock the image '" + volume.image_path() + "'");
}

// Leaves devices that somebody else attached, such as a backup's.
Status detach_loops(const Volume& volume) {
    ASSIGN_OR_RETURN(const auto loops, image_loops(volume.directory));
    for (const ImageLoop& loop : loops) {
        if (loop.status.label == volume.label() && loop.stands_over(volume.image_path())) {
            RETURN_IF_ERROR(kernel::detach_loop(loop.path));
        }
    }
    return {};
}

// Overwrites only written blocks: zeros in the holes of a sparse image would need room on a host
// that may be full, and a destroy is the way to get room.
Status zero_written(int image_fd, off_t end) {
    const std::string zeros(std::size_t{1} << 20, '\0');
    off_t at = 0;
    while (true) {
        const off_t data = ::lseek(image_fd, at, SEEK_DATA);
        if (data < 0 && errno != ENXIO) { // ENXIO: holes to the end
            return fail_errno("lseek(SEEK_DATA)");
        }
        if (data < 0 || data >= end) {
            return {};
        }
        const off_t hole = ::lseek(image_fd, data, SEEK_HOLE);
        if (hole < 0 || ::lseek(image_fd, data, SEEK_SET) < 0) {
            return fail_errno("lseek(SEEK_HOLE)");
        }
        const off_t most = data + static_cast<off_t>(zeros.size());
        at = std::min({hole, end, most});
        RETURN_IF_ERROR(kernel::write_all(
            image_fd, std::string_view(zeros).substr(0, static_cast<std::size_t>(at - data))));
    }
}

Status zero_head(int image_fd, const std::string& path) {
    constexpr off_t kHead = off_t{16} << 20;
    auto zeroed = zero_written(image_fd, kHead);
    if (!zeroed && zeroed.error().code() == ErrorCode::no_space) {
        // A copy-on-write filesystem has no place for the new blocks. Give the old ones back.
        if (::fallocate(image_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kHead) != 0) {
            return fail_errno("fallocate(FALLOC_FL_PUNCH_HOLE)", path);
        }
        zeroed = Status{};
    }
    if (zeroed && ::fdatasync(image_fd) != 0) {
        return fail_errno("fdatasync", path);
    }
    return with_context(std::move(zeroed), "overwrite the head of '" + path + "'");
}

// For an image that was just closed. Short, because the next open waits again.
constexpr auto kClosing = std::chrono::seconds(5);
// The last writes of an unmount, or a program spawned meanwhile that has the descriptor until its
// exec, take as long as a disk that stalls.
constexpr auto kOpening = std::chrono::seconds(20);

} // namespace

Result<UniqueFd> create_image(const Volume& volume) {
    const std::string path = volume.image_path();
    auto made = kernel::open_unseen(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!made) {
        Error error = std::move(made).error();
        return std::unexpected<Error>(error.sys_errno() == EEXIST
                                          ? std::move(error).with_code(ErrorCode::already_exists)
                                          : std::move(error));
    }
    UniqueFd image = *std::move(made);
    Revert revert;
    revert.add([&] { (void)::unlink(path.c_str()); });
    RETURN_IF_ERROR(lock_image(image.get(), volume, Deadline::after(kOpening)));
    RETURN_IF_ERROR(check_room(image.get(), volume));
    if (::ftruncate(image.get(), static_cast<off_t>(volume.bytes)) != 0) {
        return fail_errno("ftruncate", path);
    }
    revert.commit();
    return image;
}

Result<UniqueFd> open_image(const Volume& volume) {
    const std::string path = volume.image_path();
    ASSIGN_OR_RETURN(UniqueFd image, kernel::open_unseen(path, O_RDWR));
    struct stat info{};
    if (::fstat(image.get(), &info) != 0) {
        return fail_errno("fstat", path);
    }
    if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) < volume.bytes) {
        return fail(ErrorCode::corrupt,
                    "the image '" + path + "' is shorter than its volume: it was cut");
    }
    RETURN_IF_ERROR(lock_image(image.get(), volume, Deadline::after(kOpening)));
    return image;
}

Status erase_image(const Volume& volume) {
    const std::string path = volume.image_path();
    const auto image = kernel::open_file(path, O_RDWR | O_NOFOLLOW);
    if (!image) {
        return image.error().sys_errno() == ENOENT ? Status{}
                                                   : std::unexpected<Error>(image.error());
    }
    RETURN_IF_ERROR(lock_image(image->get(), volume, Deadline::after(std::chrono::seconds(0))));
    RETURN_IF_ERROR(zero_head(image->get(), path));
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail_errno("unlink", path);
    }
    return {};
}

Status wait_unused(const Volume& volume) {
    const auto image = kernel::open_file(volume.image_path(), O_RDONLY | O_NOFOLLOW);
    if (!image) {
        return image.error().sys_errno() == ENOENT ? detach_loops(volume)
                                                   : std::unexpected<Error>(image.error());
    }
    if (!lock_image(image->get(), volume, Deadline::after(std::chrono::seconds(0)))) {
        RETURN_IF_ERROR(detach_loops(volume)); // one without autoclear would never go
        RETURN_IF_ERROR(lock_image(image->get(), volume, Deadline::after(kClosing)));
    }
    // Closing is not enough: a program that another thread spawns now has the descriptor until its
    // exec, and destroy, which comes next, does not wait.
    return ::flock(image->get(), LOCK_UN) == 0 ? Status{}
                                               : fail_errno("flock", volume.image_path());
}

} // namespace lodge::storage
