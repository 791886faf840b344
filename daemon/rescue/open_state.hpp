#pragma once

#include "daemon/settings.hpp"
#include "lib/db/database.hpp"

#include <memory>

namespace lodge::daemon {

/// Opens STATE/lodge.db for a daemon, migrated to this release's schema; a copy of what it was
/// before is taken first. Refuses a state directory that has containers but no database
/// (`corrupt`): a daemon that began with an empty one would take their volumes for leavings. What
/// is refused is named, with the way out, and not changed.
[[nodiscard]] Result<std::unique_ptr<db::Database>> open_state(const Settings& settings);

/// A database that is there and was written to.
[[nodiscard]] bool has_database(const Settings& settings);

} // namespace lodge::daemon
