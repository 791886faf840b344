#include "storage/loop_driver.hpp"

#include "lib/base/revert.hpp"
#include "lib/kernel/loop.hpp"
#include "storage/filesystem.hpp"
#include "storage/image.hpp"

#include <unistd.h>

namespace lodge::storage {

namespace {

Result<kernel::LoopDevice> attach(const Volume& volume, const UniqueFd& image) {
    return kernel::LoopDevice::attach(image.get(), {.label = volume.label(), .block_size = 4096});
}

} // namespace

Result<OpenVolume> LoopDriver::create(const Volume& volume, const secret::SecretBuffer& key) {
    Revert revert;
    ASSIGN_OR_RETURN(const UniqueFd image, create_image(volume));
    revert.add([&] { (void)::unlink(volume.image_path().c_str()); });
    RETURN_IF_ERROR(make_ext4(volume.image_path(), volume.uuid, encrypts()));
    ASSIGN_OR_RETURN(const auto loop, attach(volume, image));
    ASSIGN_OR_RETURN(OpenVolume open, mount_ext4(loop.path())); // which holds the device from here
    RETURN_IF_ERROR(protect(open, key));
    RETURN_IF_ERROR(make_layout(open));
    revert.commit();
    return open;
}

Result<OpenVolume> LoopDriver::open(const Volume& volume, const secret::SecretBuffer& key) {
    ASSIGN_OR_RETURN(const UniqueFd image, open_image(volume));
    ASSIGN_OR_RETURN(const auto loop, attach(volume, image));
    RETURN_IF_ERROR(check_ext4(loop.path()));
    ASSIGN_OR_RETURN(OpenVolume open, mount_ext4(loop.path()));
    RETURN_IF_ERROR(unlock(open, key));
    return open;
}

Status LoopDriver::close(const Volume& volume) {
    return wait_unused(volume);
}

Status LoopDriver::destroy(const Volume& volume) {
    return erase_image(volume);
}

} // namespace lodge::storage
