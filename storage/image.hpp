#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "storage/volume.hpp"

namespace lodge::storage {

// Who has an image has its lock: create_image and open_image return it with flock(2) taken. The
// lock belongs to the open file, and a loop device holds that very file, so the lock lasts exactly
// as long as any mount of the volume does, in whatever process, and goes by itself. Two ext4 mounts
// of one image, which would destroy it, cannot come about.

/// A new sparse image of the volume's size, mode 0600. no_space when the host's filesystem has less
/// than a twentieth of it free (a sparse image may be overcommitted, but not that far).
[[nodiscard]] Result<UniqueFd> create_image(const Volume& volume);
/// not_found without an image, corrupt when it is shorter than the volume, busy when it stays open.
[[nodiscard]] Result<UniqueFd> open_image(const Volume& volume);
/// Overwrites what is written of the first 16 MiB with zeros (LUKS headers and keyslots, ext4's
/// superblock), syncs, unlinks. Needs no free room on the host. Success when there is no image,
/// busy when it is open.
[[nodiscard]] Status erase_image(const Volume& volume);
/// Waits until nobody has the image any more; detaches a loop device that nobody uses. busy in the
/// end.
[[nodiscard]] Status wait_unused(const Volume& volume);

} // namespace lodge::storage
