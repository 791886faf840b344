#pragma once

#include "lib/base/error.hpp"
#include "storage/volume.hpp"

#include <string>

namespace lodge::storage {

/// mke2fs on an image file or a block device. `encrypt`: with ext4's encrypt feature.
[[nodiscard]] Status make_ext4(const std::string& target, const Uuid& uuid, bool encrypt);
/// A detached mount of the ext4 on `device`.
[[nodiscard]] Result<OpenVolume> mount_ext4(const std::string& device);
/// data/upper and data/work in the mounted filesystem. Idempotent.
[[nodiscard]] Status make_layout(const OpenVolume& volume);
/// Empty when mke2fs is installed, else what is missing.
[[nodiscard]] std::string missing_mke2fs();

} // namespace lodge::storage
