#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace lodge::cli {

/// The rows that `info` shows for a container of the API, in groups by meaning. A field that is in
/// no other group is in the last one. "-" means unknown or empty.
[[nodiscard]] std::vector<std::vector<std::string>> info_rows(const nlohmann::json& container);

} // namespace lodge::cli
