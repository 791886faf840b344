#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace lodge::cli {

/// A container of the API's as `info` shows it: rows of a table, in groups by meaning. A field that
/// no group knows is in the last one; "-" stands for what is not known or empty.
[[nodiscard]] std::vector<std::vector<std::string>> info_rows(const nlohmann::json& container);

} // namespace lodge::cli
