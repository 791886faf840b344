#include "storage/device_mapper.hpp"

#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

namespace lodge::storage {

namespace {

// DM_GET_TARGET_VERSION (Linux 5.15) looks a target up by name and loads its module.
struct TargetVersionRequest {
    dm_ioctl header{};
    std::array<char, sizeof(dm_target_versions) + 128> room{};
};

} // namespace

std::string missing_dm_crypt() {
    const auto control = kernel::open_file("/dev/mapper/control", O_RDWR);
    if (!control) {
        return "this kernel has no device-mapper (/dev/mapper/control cannot be opened)";
    }
    TargetVersionRequest request;
    request.header.version[0] = DM_VERSION_MAJOR;
    request.header.version[1] = 0;
    request.header.data_size = sizeof request;
    request.header.data_start = offsetof(TargetVersionRequest, room);
    std::strncpy(&request.header.name[0], "crypt", sizeof request.header.name - 1);
    if (::ioctl(control->get(), DM_GET_TARGET_VERSION, &request) != 0) {
        return std::string("this kernel has no dm-crypt target: ") + strerrordesc_np(errno);
    }
    return {};
}

} // namespace lodge::storage
