#include "lib/kernel/fs.hpp"
#include "storage/image_loops.hpp"
#include "storage/volume.hpp"

#include <cerrno>
#include <map>
#include <optional>
#include <string_view>

#include <fcntl.h>

namespace lodge::storage {

namespace {

constexpr const char* kBlocks = "/sys/block";

// The volume's name in labels: for a mapping of ours, in the label of the loop device below it.
std::string label_of(const std::string& mapping, const BlockDevice& loop) {
    const auto uuid = model::volume_of_label(loop.label);
    return uuid && mapping == Volume{.uuid = *uuid, .directory = {}}.mapper_name() ? loop.label
                                                                                   : mapping;
}

// Removed just now: nothing to tell. EINVAL comes from dm_attr_show() of the kernel, of a mapping
// that is being removed (drivers/md/dm-sysfs.c, since Linux 2.6.30).
Status unless_gone(const Error& error) {
    return kernel::is_device_gone(error) || error.sys_errno() == EINVAL
               ? Status{}
               : std::unexpected<Error>(error);
}

// Mappings that lie on one of `loops` (by "/dev/loopN"); dm/name is what dmsetup(8) shows.
Status add_mappings(const std::map<std::string, BlockDevice>& loops,
                    std::vector<BlockDevice>& devices) {
    ASSIGN_OR_RETURN(const auto blocks, kernel::open_directory(kBlocks));
    return kernel::for_each_entry(
        blocks.get(), [&](const std::string& block, unsigned char) -> Status {
            if (!block.starts_with("dm-")) {
                return {};
            }
            const std::string place = std::string(kBlocks) + "/" + block;
            auto name = kernel::read_file(place + "/dm/name", 256);
            if (!name) {
                return unless_gone(name.error());
            }
            const auto slaves = kernel::open_file(place + "/slaves", O_RDONLY | O_DIRECTORY);
            if (!slaves) {
                return unless_gone(slaves.error());
            }
            while (!name->empty() && name->back() == '\n') {
                name->pop_back();
            }
            return kernel::for_each_entry(
                slaves->get(), [&](const std::string& slave, unsigned char) -> Status {
                    if (const auto loop = loops.find("/dev/" + slave); loop != loops.end()) {
                        devices.push_back({.name = block,
                                           .label = label_of(*name, loop->second),
                                           .image = loop->second.image});
                    }
                    return {};
                });
        });
}

// If its path says nothing, its label names the volume and so the path of the image. Empty: it
// is another daemon's.
std::string image_below(const std::string& directory, const ImageLoop& loop) {
    if (loop.shown.starts_with(directory + "/")) {
        return loop.shown;
    }
    const auto uuid = model::volume_of_label(loop.status.label);
    if (!uuid) {
        return {};
    }
    const std::string image = directory + "/" + uuid->to_string() + "/" + model::kImageName;
    return loop.stands_over(image) ? image : "";
}

} // namespace

Result<std::vector<BlockDevice>> list_devices(const std::string& directory) {
    std::vector<BlockDevice> devices;
    std::map<std::string, BlockDevice> below;
    ASSIGN_OR_RETURN(const auto loops, image_loops(directory));
    for (const ImageLoop& loop : loops) {
        const std::string image = image_below(directory, loop);
        if (!image.empty()) {
            devices.push_back({.name = loop.path, .label = loop.status.label, .image = image});
            below[loop.path] = devices.back();
        }
    }
    RETURN_IF_ERROR(add_mappings(below, devices));
    return devices;
}

} // namespace lodge::storage
