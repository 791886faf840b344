#pragma once

#include "daemon/settings.hpp"
#include "lib/base/error.hpp"
#include "lib/model/container.hpp"
#include "templates/template_store.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// A thing that could not be brought back and was left in place. A container's directory gets a
/// file with the reason, so that no daemon removes it as a leaving.
struct LeftInPlace {
    std::string path;
    std::string name; ///< if it could be read
    std::string why;
};

/// The result of a rescue.
struct Rescued {
    std::vector<model::Container> containers; ///< by name
    std::vector<templates::Template> templates;
    std::vector<LeftInPlace> left;
};

/// Rebuilds STATE/lodge.db from the records beside volumes and images. Containers whose monitor
/// answers are recorded as running; the next daemon takes them up. What cannot be brought back is
/// reported and left unchanged. Of two containers with the same name, address or id range it brings
/// the older one back. The database appears whole or not at all. Pre: the caller holds the lock of
/// the state directory. already_exists when there is a database; not_found when there are no
/// records or no key to open a volume or to check a record.
[[nodiscard]] Result<Rescued> rebuild_database(const Settings& settings);

/// {"containers": [...], "templates": [...], "left": [...]}, as in docs/cli.md.
[[nodiscard]] std::string to_json(const Rescued& rescued);

} // namespace lodge::daemon
