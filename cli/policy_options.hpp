#pragma once

#include "cli/app.hpp"
#include "lib/model/policy.hpp"

#include <string>

namespace lodge::cli {

/// When a container starts by itself, as flags say it. Empty: not given.
struct PolicyOptions {
    std::string onboot;
    std::string boot_order;
    std::string boot_delay;
    std::string restart;
    std::string restart_limit;
    std::string restart_backoff;
};

/// Declares the flags. `options` must outlive the command.
void add_policy_options(CLI::App& command, PolicyOptions& options);

/// What was given.
[[nodiscard]] Result<model::PolicyChange> policies_of(const PolicyOptions& options);

/// A whole number from 0 on; `what` is the noun of the error.
[[nodiscard]] Result<std::uint32_t> parse_number(const std::string& words, const std::string& what);
/// Whole seconds of a duration such as 5s or 2m.
[[nodiscard]] Result<std::uint32_t> parse_seconds(const std::string& words);

} // namespace lodge::cli
