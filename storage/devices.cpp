#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"
#include "storage/volume.hpp"

#include <cerrno>
#include <map>

#include <fcntl.h>

namespace lodge::storage {

namespace {

constexpr const char* kBlocks = "/sys/block";

// Mappings that lie on one of `loops` (image by "/dev/loopN"); dm/name is what dmsetup(8) shows.
Status add_mappings(const std::map<std::string, std::string>& loops,
                    std::vector<BlockDevice>& devices) {
    ASSIGN_OR_RETURN(const auto blocks, kernel::open_directory(kBlocks));
    return kernel::for_each_entry(
        blocks.get(), [&](const std::string& block, unsigned char) -> Status {
            if (!block.starts_with("dm-")) {
                return {};
            }
            const std::string place = std::string(kBlocks) + "/" + block;
            auto label = kernel::read_file(place + "/dm/name", 256);
            const auto slaves = kernel::open_file(place + "/slaves", O_RDONLY | O_DIRECTORY);
            if (!label || !slaves) {
                return {}; // removed just now
            }
            while (!label->empty() && label->back() == '\n') {
                label->pop_back();
            }
            return kernel::for_each_entry(
                slaves->get(), [&](const std::string& slave, unsigned char) -> Status {
                    if (const auto loop = loops.find("/dev/" + slave); loop != loops.end()) {
                        devices.push_back({.name = block, .label = *label, .image = loop->second});
                    }
                    return {};
                });
        });
}

} // namespace

Result<std::vector<BlockDevice>> list_devices(const std::string& directory) {
    std::vector<BlockDevice> devices;
    std::map<std::string, std::string> below;
    ASSIGN_OR_RETURN(const auto loops, kernel::list_loops());
    for (const kernel::LoopInfo& loop : loops) {
        if (!loop.backing_file.starts_with(directory + "/")) {
            continue;
        }
        below[loop.path] = loop.backing_file;
        const auto label = kernel::loop_label(loop.path);
        if (!label && label.error().sys_errno() != ENXIO && label.error().sys_errno() != ENOENT) {
            return std::unexpected<Error>(label.error());
        }
        if (label) { // else detached just now
            devices.push_back({.name = loop.path, .label = *label, .image = loop.backing_file});
        }
    }
    RETURN_IF_ERROR(add_mappings(below, devices));
    return devices;
}

} // namespace lodge::storage
