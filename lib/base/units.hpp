#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lodge {

/// The bytes of a size as people write it: digits, optional decimals, and an optional suffix K, M,
/// G or T (powers of 1024, in either case, with an optional trailing B or iB). Refuses zero, signs
/// and other suffixes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest exact text that parse_size() reads as `bytes`: 536870912 is "512M".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

/// A number of CPUs such as "2", "1.5" or "0.25", in thousandths of a CPU. Refuses zero, signs,
/// more than three decimals and more than 8192 CPUs.
[[nodiscard]] Result<std::uint32_t> parse_cpus(std::string_view text);

/// The shortest text that parse_cpus() reads as `millis`: 1500 is "1.5".
[[nodiscard]] std::string format_cpus(std::uint32_t millis);

/// A whole number from 0 to 4294967295 in decimal digits; `noun` is its name in the error.
[[nodiscard]] Result<std::uint32_t> parse_count(std::string_view text, const std::string& noun);

/// A duration in milliseconds. The text is digits and one of ms, s, m, h; digits alone are seconds.
[[nodiscard]] Result<std::int64_t> parse_duration_ms(std::string_view text);

} // namespace lodge
