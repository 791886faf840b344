#pragma once

#include "cli/chosen.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

/// Starting and waiting, which `create`, `start` and `restart` have alike.
namespace lodge::cli {

/// Judges a value of the verb's --wait, "" for none, before anything is done.
[[nodiscard]] Status check_awaited(const std::string& what, const std::string& verb);
/// The same of `wait --for`.
[[nodiscard]] Status check_state_awaited(const std::string& what);
/// Waits for it, up to five minutes; not at all for "".
[[nodiscard]] Status
await(const Globals& globals, const std::string& name, const std::string& what);

/// Waits until a container is `what`; the container then.
[[nodiscard]] Result<nlohmann::json> wait_for(const Globals& globals,
                                              const std::string& name,
                                              const std::string& what,
                                              const std::string& timeout);

/// Starts a container unless it runs; then the answer is an empty object.
[[nodiscard]] Result<Outcome> start_if_needed(const Globals& globals, const std::string& name);

} // namespace lodge::cli
