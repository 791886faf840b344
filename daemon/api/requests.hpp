#pragma once

#include "daemon/services/containers.hpp"
#include "daemon/services/sessions.hpp"
#include "lib/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

/// The bodies of requests for containers. For an absent key the field has its default.
/// invalid_argument names an unknown key, a value of the wrong type or a value out of bounds.
namespace lodge::daemon {

[[nodiscard]] Result<CreateRequest> read_create(nlohmann::json body);
[[nodiscard]] Result<StopRequest> read_stop(const nlohmann::json& body);
/// The signal: 1 to 64, SIGKILL when none is given.
[[nodiscard]] Result<int> read_kill(const nlohmann::json& body);
[[nodiscard]] Result<ExecRequest> read_exec(const nlohmann::json& body);

} // namespace lodge::daemon
