#include "lib/kernel/loop.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

namespace lodge::kernel {

namespace {

loop_config make_config(int image_fd, const LoopOptions& options) {
    loop_config config{};
    config.fd = static_cast<__u32>(image_fd);
    config.block_size = options.block_size;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (options.direct_io) {
        config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
    }
    if (options.read_only) {
        config.info.lo_flags |= LO_FLAGS_READ_ONLY;
    }
    const std::size_t length = std::min(options.label.size(), std::size_t{LO_NAME_SIZE - 1});
    std::memcpy(&config.info.lo_file_name[0], options.label.data(), length);
    return config;
}

// The reverse of huge_encode_dev() in the kernel, whose format is not that of the C library's
// dev_t.
dev_t decode_device(std::uint64_t packed) {
    return makedev((packed >> 8) & 0xfff, (packed & 0xff) | ((packed >> 12) & 0xfff00));
}

// nullopt: `name` is not attached, or was detached meanwhile. Only the errors of sysfs for such a
// device mean this. An error such as EMFILE must not, because the host would then seem to have no
// loop devices.
Result<std::optional<std::string>> backing_file_of(int blocks, const std::string& name) {
    const auto read = [&]() -> Result<std::string> {
        ASSIGN_OR_RETURN(const UniqueFd file,
                         open_at(blocks, name + "/loop/backing_file", O_RDONLY));
        return read_all(file.get(), 8192);
    };
    auto backing = read();
    if (!backing) {
        // ENAMETOOLONG: the path fills a page. No path that we attach is that long, so the device
        // is not ours.
        if (is_device_gone(backing.error()) || backing.error().sys_errno() == ENAMETOOLONG) {
            return std::nullopt;
        }
        return std::unexpected<Error>(std::move(backing).error().context("look at " + name));
    }
    while (!backing->empty() && backing->back() == '\n') {
        backing->pop_back();
    }
    return std::move(*backing);
}

} // namespace

Result<UniqueFd> open_unseen(const std::string& path, int flags, mode_t mode) {
    const std::size_t slash = path.rfind('/');
    ASSIGN_OR_RETURN(const MountFd directory,
                     clone_mount(AT_FDCWD, slash == 0 ? "/" : path.substr(0, slash)));
    return with_context(open_at(directory.get(), path.substr(slash + 1), flags | O_NOFOLLOW, mode),
                        "open '" + path + "'");
}

bool is_device_gone(const Error& error) noexcept {
    const int why = error.sys_errno();
    return why == ENOENT || why == ENXIO || why == ENODEV;
}

Result<LoopDevice> LoopDevice::attach(int image_fd, const LoopOptions& options) {
    ASSIGN_OR_RETURN(const UniqueFd control, open_file("/dev/loop-control", O_RDWR));
    loop_config config = make_config(image_fd, options);
    // LOOP_CTL_GET_FREE returns a number and reserves nothing: the first process to configure the
    // device gets it. The loop is bounded. Each lost race means that another process made progress.
    constexpr int kMostRaces = 256;
    for (int race = 0; race < kMostRaces; ++race) {
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) {
            return fail_errno("get a free loop device", "/dev/loop-control");
        }
        std::string path = "/dev/loop" + std::to_string(number);
        UniqueFd device(::open(path.c_str(), (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
        if (!device) {
            if (errno == ENXIO || errno == ENOENT) {
                continue; // removed or not yet made by devtmpfs: ask for another
            }
            return fail_errno("open", path);
        }
        if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
            return LoopDevice(std::move(device), std::move(path));
        }
        if (errno == EINVAL && options.direct_io) {
            // The backing filesystem has no direct I/O (tmpfs): use buffered I/O.
            config.info.lo_flags &= ~static_cast<__u32>(LO_FLAGS_DIRECT_IO);
            if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
                return LoopDevice(std::move(device), std::move(path));
            }
        }
        if (errno != EBUSY) {
            return fail_errno("LOOP_CONFIGURE", path);
        }
    }
    return fail(ErrorCode::resource_exhausted, "no free loop device could be had");
}

Result<std::vector<LoopInfo>> list_loops() {
    std::vector<LoopInfo> loops;
    ASSIGN_OR_RETURN(const DirFd blocks, open_directory("/sys/block"));
    RETURN_IF_ERROR(
        for_each_entry(blocks.get(), [&](const std::string& name, unsigned char) -> Status {
            if (name.rfind("loop", 0) != 0) {
                return {};
            }
            ASSIGN_OR_RETURN(std::optional<std::string> backing,
                             backing_file_of(blocks.get(), name));
            if (backing) {
                loops.push_back({"/dev/" + name, std::move(*backing)});
            }
            return {};
        }));
    return loops;
}

Result<LoopStatus> loop_status(const std::string& path) {
    ASSIGN_OR_RETURN(const UniqueFd device, open_file(path, O_RDONLY));
    loop_info64 info{};
    if (::ioctl(device.get(), LOOP_GET_STATUS64, &info) != 0) {
        return fail_errno("LOOP_GET_STATUS64", path);
    }
    const char* label = reinterpret_cast<const char*>(&info.lo_file_name[0]);
    return LoopStatus{.label = std::string(label, ::strnlen(label, LO_NAME_SIZE)),
                      .device = decode_device(info.lo_device),
                      .inode = info.lo_inode};
}

Status detach_loop(const std::string& path) {
    auto device = open_file(path, O_RDONLY);
    if (!device) {
        return is_device_gone(device.error()) ? Status{}
                                              : std::unexpected<Error>(std::move(device).error());
    }
    if (::ioctl(device->get(), LOOP_CLR_FD) != 0 && errno != ENXIO) {
        return fail_errno("LOOP_CLR_FD", path);
    }
    return {};
}

} // namespace lodge::kernel
