#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace lodge::cli {

/// The difference between a container of the API and `asked`, the values of a specification by
/// their keys (null: none): "memory: 1G, not 512M"; "" for no difference. Compares only the labels
/// and addresses in `asked`. Compares no ssh keys, because the API does not show them. Pure.
[[nodiscard]] std::string difference(const nlohmann::json& asked, const nlohmann::json& container);

} // namespace lodge::cli
