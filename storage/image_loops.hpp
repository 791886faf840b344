#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/loop.hpp"

#include <string>
#include <vector>

namespace lodge::storage {

inline constexpr const char* kImageName = "volume.img"; ///< in its volume's directory

/// A loop device that may stand over an image of ours. One that an older release attached
/// shows the whole path of its image; a later one shows no more than "/volume.img"
/// (kernel::open_unseen), and its image is told by its inode.
struct ImageLoop {
    std::string path;  ///< "/dev/loop3"
    std::string shown; ///< as sysfs has it, without " (deleted)"
    bool deleted = false;
    kernel::LoopStatus status;

    /// Whether it stands over the file `image`, or over one that lay there and was unlinked: then
    /// the label is to be asked for too, and the directory has to be there still.
    [[nodiscard]] bool stands_over(const std::string& image) const;
};
/// Those that show a path below `directory`, or none. Opens no others.
[[nodiscard]] Result<std::vector<ImageLoop>> image_loops(const std::string& directory);

} // namespace lodge::storage
