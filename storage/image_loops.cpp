#include "storage/image_loops.hpp"

#include "lib/model/object_names.hpp"

#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

namespace lodge::storage {

namespace {

std::string unseen_image() {
    return std::string("/") + model::kImageName;
}

} // namespace

bool ImageLoop::stands_over(const std::string& image) const {
    if (shown != unseen_image()) {
        return shown == image;
    }
    if (deleted) {
        return ::access(image.substr(0, image.rfind('/')).c_str(), F_OK) == 0;
    }
    struct stat info{};
    return ::lstat(image.c_str(), &info) == 0 && info.st_dev == status.device &&
           info.st_ino == status.inode;
}

Result<std::vector<ImageLoop>> image_loops(const std::string& directory) {
    constexpr std::string_view kDeleted = " (deleted)";
    std::vector<ImageLoop> found;
    ASSIGN_OR_RETURN(auto loops, kernel::list_loops());
    for (kernel::LoopInfo& loop : loops) {
        const bool deleted = loop.backing_file.ends_with(kDeleted);
        if (deleted) {
            loop.backing_file.resize(loop.backing_file.size() - kDeleted.size());
        }
        if (loop.backing_file != unseen_image() &&
            !loop.backing_file.starts_with(directory + "/")) {
            continue;
        }
        auto status = kernel::loop_status(loop.path);
        if (!status && !kernel::is_device_gone(status.error())) {
            return std::unexpected<Error>(std::move(status).error());
        }
        if (status) { // else detached just now
            found.push_back({.path = std::move(loop.path),
                             .shown = std::move(loop.backing_file),
                             .deleted = deleted,
                             .status = std::move(*status)});
        }
    }
    return found;
}

} // namespace lodge::storage
