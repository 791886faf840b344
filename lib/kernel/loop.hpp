#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace lodge::kernel {

/// Opens an image for attach() so that sysfs does not show its directory. Every tenant may read the
/// path of each loop device's file; for a file that was opened in a detached mount of its own
/// directory that path is "/NAME". The last component of `path` must not be a symlink.
[[nodiscard]] Result<UniqueFd> open_unseen(const std::string& path, int flags, mode_t mode = 0);

struct LoopOptions {
    std::string label; ///< lo_file_name, at most 63 characters: for people, and for sweeps
    bool read_only = false;
    bool direct_io = true;        ///< past the host's page cache, where the backing file allows it
    std::uint32_t block_size = 0; ///< logical; 0: the kernel's default (512)
};

/// A loop device over an image, held open. It has autoclear: the kernel detaches it when the last
/// user (this descriptor, a mount, a mapping) is gone, so that a crash leaves no device.
class LoopDevice {
  public:
    /// LOOP_CTL_GET_FREE and LOOP_CONFIGURE (man 4 loop). Repeats both when another process took
    /// the number.
    static Result<LoopDevice> attach(int image_fd, const LoopOptions& options);

    [[nodiscard]] int fd() const noexcept { return device_.get(); }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    LoopDevice(UniqueFd device, std::string path)
        : device_(std::move(device)), path_(std::move(path)) {}
    UniqueFd device_;
    std::string path_;
};

/// An attached loop device, as /sys/block/loopN/loop shows it.
struct LoopInfo {
    std::string path;         ///< "/dev/loop3"
    std::string backing_file; ///< see open_unseen(); " (deleted)" at its end when it was unlinked
};
/// All attached loop devices of the host, for the inventory. Fails when one of them could not be
/// read: without the error the caller would take that device for detached.
[[nodiscard]] Result<std::vector<LoopInfo>> list_loops();

/// Whether an error of a block device, or of its file in sysfs, means that the device does not
/// exist (any more): ENOENT, ENXIO, ENODEV. All others mean that it could not be read.
[[nodiscard]] bool is_device_gone(const Error& error) noexcept;

/// The values of an attached loop device that can be read only through its descriptor.
struct LoopStatus {
    std::string label; ///< from LoopOptions
    dev_t device = 0;  ///< of its file, as stat(2) has it
    ino_t inode = 0;
};
/// ENXIO when no file is attached.
[[nodiscard]] Result<LoopStatus> loop_status(const std::string& path);

/// Detaches the device: at once when it is unused, else when its last user closes it. Success when
/// no file is attached.
[[nodiscard]] Status detach_loop(const std::string& path);

} // namespace lodge::kernel
