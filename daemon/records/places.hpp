#pragma once

#include "daemon/settings.hpp"
#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lodge::daemon {

/// STATE/containers/<uuid>/ holds it beside the volume.
inline constexpr const char* kRecordName = "container.json";

/// What there is of one container in its directory.
struct Beside {
    bool image = false;
    std::uint64_t bytes = 0; ///< of the image, 0 when it is no regular file
    bool record = false;
};
[[nodiscard]] Result<Beside> look_beside(const std::string& directory);

/// Containers whose directory holds a volume or a record, in order. One that cannot be looked into
/// is among them.
[[nodiscard]] Result<std::vector<Uuid>> volumes_on_disk(const Settings& settings);

/// Removes the directory of a container that has no row. What holds a volume or a record is never
/// a leaving: rows go last, so it is the row that was lost (invalid_state), and nothing is removed.
[[nodiscard]] Status remove_leavings(const Settings& settings, const Uuid& container);

} // namespace lodge::daemon
