#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/mount.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace lodge::templates {

/// Runs mkfs.erofs on a directory and syncs the image. `newest`, in Unix seconds, replaces every
/// later time in the tree and is the time of the image: with it the same tree makes the same image.
[[nodiscard]] Status pack_image(const std::string& tree,
                                const std::string& image,
                                std::optional<std::int64_t> newest,
                                int cancel_fd);
/// Lower-case hexadecimal SHA-256 of a file.
[[nodiscard]] Result<std::string> sha256_of(const std::string& path);
/// A detached, read-only mount of an EROFS image: from the file itself (Linux 6.12) or through a
/// loop device.
[[nodiscard]] Result<kernel::MountFd> mount_image(const std::string& image);

} // namespace lodge::templates
