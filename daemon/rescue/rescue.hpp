#pragma once

#include "daemon/settings.hpp"
#include "lib/base/error.hpp"
#include "lib/model/container.hpp"
#include "templates/template_store.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// Something that could not be brought back, and lies where it lay. A container's directory gets a
/// file that says why, so that no daemon takes it for a leaving.
struct LeftInPlace {
    std::string path;
    std::string name; ///< as far as it could be read
    std::string why;
};

/// What a rescue brought back.
struct Rescued {
    std::vector<model::Container> containers; ///< by name
    std::vector<templates::Template> templates;
    std::vector<LeftInPlace> left;
};

/// Builds STATE/lodge.db anew from what lies beside volumes and images. Containers whose monitor
/// answers are recorded as running; the next daemon takes them up. What cannot be brought back is
/// told and left as it is; of two that claim the same name, address or id range the older one is
/// brought back. The database appears whole or not at all. Pre: the caller holds the lock of the
/// state directory. already_exists when there is a database, not_found when there is nothing to
/// rebuild it from or no master key.
[[nodiscard]] Result<Rescued> rebuild_database(const Settings& settings);

/// {"containers": [...], "templates": [...], "left": [...]}, as docs/cli.md has it.
[[nodiscard]] std::string to_json(const Rescued& rescued);

} // namespace lodge::daemon
