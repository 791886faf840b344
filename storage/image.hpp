#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "storage/volume.hpp"

namespace lodge::storage {

// create_image and open_image return the image with flock(2) taken. The lock belongs to the open
// file description. A loop device holds that very one, so the lock lasts exactly as long as any
// mount of the volume, in whatever process, and goes by itself. So there are never two ext4 mounts
// of one image, which would destroy it.

/// Makes a sparse image of the volume's size, mode 0600. no_space when the host's filesystem has
/// less than a twentieth of that size free: a sparse image may be overcommitted, but not that far.
[[nodiscard]] Result<UniqueFd> create_image(const Volume& volume);
/// not_found without an image, corrupt when it is shorter than the volume, busy when somebody keeps
/// it open.
[[nodiscard]] Result<UniqueFd> open_image(const Volume& volume);
/// Overwrites the written part of the first 16 MiB with zeros (LUKS headers and keyslots, ext4's
/// superblock), syncs, unlinks. Needs no free room on the host. Missing: success. busy when it is
/// open.
[[nodiscard]] Status erase_image(const Volume& volume);
/// Waits until nobody holds the image; detaches a loop device that nobody uses. busy at the
/// deadline.
[[nodiscard]] Status wait_unused(const Volume& volume);

} // namespace lodge::storage
