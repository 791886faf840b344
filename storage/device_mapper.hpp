#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::storage {

/// Empty when this kernel can make dm-crypt mappings (it loads the module for that), else the
/// reason.
[[nodiscard]] std::string missing_dm_crypt();

/// Removes the mapping `name` that has only a loaded table. A process that is killed between
/// DM_TABLE_LOAD and DM_DEV_SUSPEND leaves such a mapping: it holds its devices for ever, and
/// libcryptsetup does not report it. Missing: success. busy when somebody has it open.
[[nodiscard]] Status remove_unfinished_mapping(const std::string& name);

} // namespace lodge::storage
