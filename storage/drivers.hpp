#pragma once

#include "storage/volume.hpp"

#include <memory>

namespace lodge::storage {

[[nodiscard]] std::unique_ptr<VolumeDriver> make_luks2_driver();
[[nodiscard]] std::unique_ptr<VolumeDriver> make_fscrypt_driver();
[[nodiscard]] std::unique_ptr<VolumeDriver> make_plain_driver();

} // namespace lodge::storage
