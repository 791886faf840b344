#pragma once

#include "daemon/records/record.hpp"
#include "daemon/rescue/rescue.hpp"

#include <vector>

namespace lodge::daemon {

/// The consistent records beside volumes and images.
struct Found {
    std::vector<ContainerRecord> containers; ///< oldest first; no two claim the same
    std::vector<templates::Template> templates;
    std::vector<LeftInPlace> left;
};

/// Reads all records; changes nothing. An error only when the directories cannot be read, and
/// not_found when a record needs the host's key and that is not there.
[[nodiscard]] Result<Found> find_records(const Settings& settings, const RecordKeys& keys);

} // namespace lodge::daemon
