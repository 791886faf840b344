#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/loop.hpp"

#include <string>
#include <vector>

namespace lodge::storage {

/// A loop device that may be over an image of ours. One that an older release attached shows the
/// whole path of its image. A later one shows only "/volume.img" (kernel::open_unseen); its inode
/// tells the image.
struct ImageLoop {
    std::string path;  ///< "/dev/loop3"
    std::string shown; ///< as sysfs has it, without " (deleted)"
    bool deleted = false;
    kernel::LoopStatus status;

    /// Whether it is over the file `image`, or over a file that had that path and was unlinked. In
    /// the latter case the caller also checks the label, and the directory must still exist.
    [[nodiscard]] bool stands_over(const std::string& image) const;
};
/// The devices that show a path below `directory`, or none. It opens no others.
[[nodiscard]] Result<std::vector<ImageLoop>> image_loops(const std::string& directory);

} // namespace lodge::storage
