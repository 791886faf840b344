#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <string>

namespace lodge::cli {

/// A number of processes, as people write it: 512, 4k.
[[nodiscard]] Result<std::uint32_t> parse_pids(const std::string& words);

} // namespace lodge::cli
