#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <string>

namespace lodge::cli {

/// A number of processes, as people write it: 512, 4k.
[[nodiscard]] Result<std::uint32_t> parse_pids(const std::string& words);
/// The same, or kAnyPids for "none".
[[nodiscard]] Result<std::uint32_t> parse_pids_or_none(const std::string& words);
inline constexpr std::uint32_t kAnyPids = 0; ///< no limit is that small

} // namespace lodge::cli
