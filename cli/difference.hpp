#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace lodge::cli {

/// How a container of the API's is not as `asked`, values of a specification by their keys, none
/// being null: "memory: 1G, not 512M"; "" when it is. Of labels and addresses, those that
/// were asked for are looked at; of ssh keys, which the API does not show, none. Pure.
[[nodiscard]] std::string difference(const nlohmann::json& asked, const nlohmann::json& container);

} // namespace lodge::cli
