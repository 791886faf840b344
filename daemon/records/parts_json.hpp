#pragma once

#include "daemon/records/record.hpp"
#include "lib/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

// The volumes and cards of a container in its record.
namespace lodge::daemon {

/// Adds the members "disks" and "cards". Pre: the record has the wrapped key of each disk.
void put_parts(const ContainerRecord& record, nlohmann::json& content);
/// Reads them. A record of format 1 has one of each, under the UUID of the container. corrupt when
/// one is missing or wrong. Pre: the container's UUID is set.
[[nodiscard]] Status read_parts(const nlohmann::json& content, ContainerRecord& record);

} // namespace lodge::daemon
