#include "cli/policy_options.hpp"

#include "cli/flags.hpp"
#include "lib/base/units.hpp"

#include <charconv>

namespace lodge::cli {

Result<std::uint32_t> parse_number(const std::string& words, const std::string& what) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(words.data(), words.data() + words.size(), number);
    if (error != std::errc{} || end != words.data() + words.size()) {
        return fail(ErrorCode::invalid_argument,
                    "'" + words + "' is not " + what + "; a whole number is wanted");
    }
    return number;
}

Result<std::uint32_t> parse_seconds(const std::string& words) {
    ASSIGN_OR_RETURN(const std::int64_t milliseconds, parse_duration_ms(words));
    if (milliseconds % 1000 != 0) {
        return fail(ErrorCode::invalid_argument,
                    "'" + words + "' is not a number of whole seconds");
    }
    return static_cast<std::uint32_t>(milliseconds / 1000); // it takes a year at most
}

void add_policy_options(CLI::App& command, PolicyOptions& options) {
    command.add_option("--onboot",
                       options.onboot,
                       "Start it with the host: yes, no or auto (when it ran before; at first)");
    command.add_option(
        "--bootorder", options.boot_order, "The higher the earlier, 0 to 9999 (0 at first)");
    command.add_option("--boot-delay",
                       options.boot_delay,
                       "How long those behind it wait, such as 10s (0 at first)");
    command.add_option("--restart",
                       options.restart,
                       "When its init ends by itself: no (at first), on-failure or always");
    command.add_option(
        "--restart-limit", options.restart_limit, "Most restarts in a row (0: no limit)");
    command.add_option("--restart-backoff",
                       options.restart_backoff,
                       "Wait before the first restart (1s at first); doubles with each in a row");
}

Result<model::PolicyChange> policies_of(const PolicyOptions& options) {
    const auto order = [](const std::string& w) { return parse_number(w, "a bootorder"); };
    const auto limit = [](const std::string& w) { return parse_number(w, "a limit of restarts"); };
    model::PolicyChange given;
    RETURN_IF_ERROR(take(options.onboot, given.onboot, model::parse_onboot));
    RETURN_IF_ERROR(take(options.boot_order, given.boot_order, order));
    RETURN_IF_ERROR(take(options.boot_delay, given.boot_delay_seconds, parse_seconds));
    RETURN_IF_ERROR(take(options.restart, given.restart, model::parse_restart));
    RETURN_IF_ERROR(take(options.restart_limit, given.restart_limit, limit));
    RETURN_IF_ERROR(take(options.restart_backoff, given.restart_backoff_seconds, parse_seconds));
    return given;
}

} // namespace lodge::cli
