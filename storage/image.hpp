#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "storage/volume.hpp"

namespace lodge::storage {

/// A new sparse image of the volume's size, mode 0600. no_space when the host's filesystem has less
/// than a twentieth of it free (a sparse image may be overcommitted, but not that far).
[[nodiscard]] Result<UniqueFd> create_image(const Volume& volume);
/// not_found without an image, corrupt when it is shorter than the volume.
[[nodiscard]] Result<UniqueFd> open_image(const Volume& volume);
/// Overwrites the first 16 MiB with zeros (LUKS headers and keyslots, ext4's superblock and the
/// encrypted names' context), syncs, unlinks. Success when there is no image.
[[nodiscard]] Status erase_image(const Volume& volume);
/// Waits until no loop device has the image any more; detaches one that nobody uses. busy in the
/// end.
[[nodiscard]] Status wait_unused(const Volume& volume);

} // namespace lodge::storage
