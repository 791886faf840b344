#include "storage/image.hpp"

#include "lib/base/clock.hpp"
#include "lib/base/revert.hpp"
#include "lib/base/units.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <string>

#include <fcntl.h>
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
                        std::to_string(free >> 20) + " MiB");
    }
    return {};
}

Result<bool> is_attached(const Volume& volume) {
    ASSIGN_OR_RETURN(const auto loops, kernel::list_loops());
    const std::string path = volume.image_path();
    bool attached = false;
    for (const kernel::LoopInfo& loop : loops) {
        if (loop.backing_file == path) {
            attached = true;
            RETURN_IF_ERROR(kernel::detach_loop(loop.path));
        }
    }
    return attached;
}

} // namespace

Result<UniqueFd> create_image(const Volume& volume) {
    const std::string path = volume.image_path();
    ASSIGN_OR_RETURN(UniqueFd image,
                     kernel::open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    Revert revert;
    revert.add([&] { (void)::unlink(path.c_str()); });
    RETURN_IF_ERROR(check_room(image.get(), volume));
    if (::ftruncate(image.get(), static_cast<off_t>(volume.bytes)) != 0) {
        return fail_errno("ftruncate", path);
    }
    revert.commit();
    return image;
}

Result<UniqueFd> open_image(const Volume& volume) {
    const std::string path = volume.image_path();
    ASSIGN_OR_RETURN(UniqueFd image, kernel::open_file(path, O_RDWR | O_NOFOLLOW));
    struct stat info{};
    if (::fstat(image.get(), &info) != 0) {
        return fail_errno("fstat", path);
    }
    if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) < volume.bytes) {
        return fail(ErrorCode::corrupt,
                    "the image '" + path + "' is shorter than its volume: it was cut");
    }
    return image;
}

Status erase_image(const Volume& volume) {
    const std::string path = volume.image_path();
    auto image = kernel::open_file(path, O_WRONLY | O_NOFOLLOW);
    if (!image) {
        return image.error().sys_errno() == ENOENT
                   ? Status{}
                   : std::unexpected<Error>(std::move(image).error());
    }
    struct stat info{};
    if (::fstat(image->get(), &info) != 0) {
        return fail_errno("fstat", path);
    }
    const std::string zeros(std::size_t{1} << 20, '\0');
    constexpr off_t kHead = off_t{16} << 20;
    for (off_t left = std::min(kHead, info.st_size); left > 0;
         left -= static_cast<off_t>(zeros.size())) {
        const auto part =
            static_cast<std::size_t>(std::min(left, static_cast<off_t>(zeros.size())));
        RETURN_IF_ERROR(kernel::write_all(image->get(), std::string_view(zeros).substr(0, part)));
    }
    if (::fdatasync(image->get()) != 0) {
        return fail_errno("fdatasync", path);
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail_errno("unlink", path);
    }
    return {};
}

Status wait_unused(const Volume& volume) {
    const Deadline deadline = Deadline::after(std::chrono::seconds(5));
    while (true) {
        ASSIGN_OR_RETURN(const bool attached, is_attached(volume));
        if (!attached) {
            return {};
        }
        if (deadline.expired()) {
            return fail(ErrorCode::busy, "the image '" + volume.image_path() + "' is still in use");
        }
        // The kernel dissolves a dead container's mounts in a work queue and tells nobody when it
        // is done: there is nothing to wait on but time.
        const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
        (void)::nanosleep(&pause, nullptr); // a signal just makes the next look come sooner
    }
}

} // namespace lodge::storage
