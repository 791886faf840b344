#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::storage {

/// Empty when this kernel can make dm-crypt mappings (the module is loaded for the asking), else
/// why not.
[[nodiscard]] std::string missing_dm_crypt();

/// Removes the mapping `name`, which no more than a table was loaded for, as a process leaves it
/// that is killed between DM_TABLE_LOAD and DM_DEV_SUSPEND: it holds its devices for ever, and
/// libcryptsetup says that there is none. Missing: success. busy when somebody has it open.
[[nodiscard]] Status remove_unfinished_mapping(const std::string& name);

} // namespace lodge::storage
