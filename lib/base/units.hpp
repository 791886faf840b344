#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lodge {

/// Bytes of a size as people write it: digits, with decimals perhaps, and one of K M G T (powers of
/// 1024, either case, an optional trailing B or iB) or none. Refuses zero, signs and other
/// suffixes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest exact spelling that parse_size takes back: 536870912 is "512M".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

/// Thousandths of a CPU of a count such as "2", "1.5" or "0.25". Refuses zero, signs, more than
/// three decimals and more than 8192 CPUs.
[[nodiscard]] Result<std::uint32_t> parse_cpus(std::string_view text);

/// The shortest spelling that parse_cpus takes back: 1500 is "1.5".
[[nodiscard]] std::string format_cpus(std::uint32_t millis);

/// A whole number from 0 to 4294967295 in decimal digits; `noun` is what the error calls it.
[[nodiscard]] Result<std::uint32_t> parse_count(std::string_view text, const std::string& noun);

/// Milliseconds of a duration: digits and one of ms, s, m, h; bare digits are seconds.
[[nodiscard]] Result<std::int64_t> parse_duration_ms(std::string_view text);

} // namespace lodge
