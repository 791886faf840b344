#include "cli/limits.hpp"

#include "lib/base/units.hpp"

namespace lodge::cli {

Result<std::uint32_t> parse_pids(const std::string& words) {
    const auto number = parse_size(words);
    if (!number || *number > 4'194'304) {
        return fail(ErrorCode::invalid_argument, "'" + words + "' is not a number of processes");
    }
    return static_cast<std::uint32_t>(*number);
}

Result<std::uint32_t> parse_pids_or_none(const std::string& words) {
    if (words == "none") {
        return kAnyPids;
    }
    auto number = parse_pids(words);
    if (number && *number == kAnyPids) {
        return fail(ErrorCode::invalid_argument,
                    "'" + words + "' is not a number of processes; `none` is without a limit");
    }
    return number;
}

} // namespace lodge::cli
