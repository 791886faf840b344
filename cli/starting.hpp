#pragma once

#include "cli/chosen.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

/// Functions to start and to wait, for `create`, `start` and `restart`.
namespace lodge::cli {

/// Judges the value of the verb's --wait ("": none) before the first request.
[[nodiscard]] Status check_awaited(const std::string& what, const std::string& verb);
/// The same for `wait --for`.
[[nodiscard]] Status check_state_awaited(const std::string& what);
/// Waits for the state `what`, up to five minutes; returns at once for "".
[[nodiscard]] Status
await(const Globals& globals, const std::string& name, const std::string& what);

/// Waits until a container is in the state `what`, and returns the container.
[[nodiscard]] Result<nlohmann::json> wait_for(const Globals& globals,
                                              const std::string& name,
                                              const std::string& what,
                                              const std::string& timeout);

/// Starts a container unless it runs; if it runs, the answer is an empty object.
[[nodiscard]] Result<Outcome> start_if_needed(const Globals& globals, const std::string& name);

} // namespace lodge::cli
