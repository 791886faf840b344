#pragma once

#include "daemon/settings.hpp"
#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"
#include "lib/model/container.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lodge::daemon {

/// The record, in STATE/containers/<uuid>/ beside the volume.
inline constexpr const char* kRecordName = "container.json";

/// An empty file there while the container is up or is to come up with its host.
inline constexpr const char* kUpName = "up";

/// A file there with the reason why a rescue could not bring the container back.
inline constexpr const char* kLeftName = "unrecovered";

/// The files of one container in its directory.
struct Beside {
    bool image = false;
    std::uint64_t bytes = 0; ///< of the image, 0 when it is no regular file
    bool record = false;
    bool up = false;   ///< or to come up with its host
    bool left = false; ///< by a rescue
};
[[nodiscard]] Result<Beside> look_beside(const std::string& directory);

/// Containers whose directory holds a volume or a record, in order, and those whose directory
/// cannot be read.
[[nodiscard]] Result<std::vector<Uuid>> volumes_on_disk(const Settings& settings);

/// Removes the directory of a container or of a volume with its content. Missing: success. A
/// directory that cannot be opened for want of a descriptor is not missing.
[[nodiscard]] Status remove_place(const Settings& settings, const Uuid& uuid);
/// Those of a container and of all its volumes.
[[nodiscard]] Status remove_places(const Settings& settings, const model::Container& container);

/// Removes the directory of a container without a row: the rest of a create that could not be
/// undone. A record is written last and erased first, so with a record the row was lost. Then, and
/// where a rescue left its mark, it removes nothing (invalid_state).
[[nodiscard]] Status remove_leavings(const Settings& settings, const Uuid& container);

} // namespace lodge::daemon
