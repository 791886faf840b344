#pragma once

#include "lib/base/error.hpp"
#include "storage/volume.hpp"

#include <string>

namespace lodge::storage {

/// Runs mke2fs on an image file or a block device. `encrypt`: with ext4's encrypt feature.
[[nodiscard]] Status make_ext4(const std::string& target, const Uuid& uuid, bool encrypt);
/// Replays the journal and makes the safe repairs (e2fsck -p) of a filesystem that was not
/// unmounted, or in which errors were found. Otherwise it is one read, and it reads ahead the
/// blocks that a mount wants next. corrupt when a person has to decide. Takes as long as e2fsck,
/// ten minutes at most.
[[nodiscard]] Status check_ext4(const std::string& device);
/// A detached mount of the ext4 on `device`.
[[nodiscard]] Result<OpenVolume> mount_ext4(const std::string& device);
/// Makes data/upper and data/work in the mounted filesystem. Idempotent.
[[nodiscard]] Status make_layout(const OpenVolume& volume);
/// Empty when mke2fs is installed, else the name of what is missing.
[[nodiscard]] std::string missing_mke2fs();

} // namespace lodge::storage
