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

constexpr const char* kControl = "/dev/mapper/control";

} // namespace

std::string missing_dm_crypt() {
    const auto control = kernel::open_file(kControl, O_RDWR);
    if (!control) {
        // Want of descriptors does not mean that it is missing: another encryption would be chosen.
        return control.error().code() == ErrorCode::resource_exhausted
                   ? ""
                   : "this kernel has no device-mapper (/dev/mapper/control cannot be opened)";
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

Status remove_unfinished_mapping(const std::string& name) {
    ASSIGN_OR_RETURN(const UniqueFd control, kernel::open_file(kControl, O_RDWR));
    dm_ioctl request{};
    request.version[0] = DM_VERSION_MAJOR;
    request.version[1] = 0;
    request.data_size = sizeof request;
    request.data_start = sizeof request;
    std::strncpy(&request.name[0], name.c_str(), sizeof request.name - 1);
    if (::ioctl(control.get(), DM_DEV_REMOVE, &request) != 0 && errno != ENXIO) {
        return fail_errno("DM_DEV_REMOVE", name);
    }
    return {};
}

} // namespace lodge::storage
