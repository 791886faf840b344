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

/// And this, empty, as long as it is up or is to come up with its host.
inline constexpr const char* kUpName = "up";

/// And this, which says why, when a rescue could not bring it back.
inline constexpr const char* kLeftName = "unrecovered";

/// What there is of one container in its directory.
struct Beside {
    bool image = false;
    std::uint64_t bytes = 0; ///< of the image, 0 when it is no regular file
    bool record = false;
    bool up = false;   ///< or to come up with its host
    bool left = false; ///< by a rescue
};
[[nodiscard]] Result<Beside> look_beside(const std::string& directory);

/// Containers whose directory holds a volume or a record, in order. One that cannot be looked into
/// is among them.
[[nodiscard]] Result<std::vector<Uuid>> volumes_on_disk(const Settings& settings);

/// Removes the directory of a container with all in it. Missing: success; what cannot be opened for
/// want of a descriptor is not missing.
[[nodiscard]] Status remove_place(const Settings& settings, const Uuid& container);

/// Removes the directory of a container that has no row: what a create left that could not be
/// undone. A record is written last and erased first, so where there is one it is the row that was
/// lost: then, and where a rescue left something, nothing is removed (invalid_state).
[[nodiscard]] Status remove_leavings(const Settings& settings, const Uuid& container);

} // namespace lodge::daemon
