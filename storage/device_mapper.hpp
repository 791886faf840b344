#pragma once

#include <string>

namespace lodge::storage {

/// Empty when this kernel can make dm-crypt mappings (the module is loaded for the asking), else
/// why not.
[[nodiscard]] std::string missing_dm_crypt();

} // namespace lodge::storage
