#pragma once

#include "daemon/settings.hpp"
#include "lib/db/database.hpp"

#include <memory>

namespace lodge::daemon {

/// Opens STATE/lodge.db for a daemon and migrates it to this release's schema, after a copy of the
/// former state. Refuses a state directory that has containers but no database (`corrupt`): with an
/// empty database a daemon would remove their volumes as leavings. A refusal names the way out and
/// changes nothing.
[[nodiscard]] Result<std::unique_ptr<db::Database>> open_state(const Settings& settings);

/// Whether a database exists and was written to.
[[nodiscard]] bool has_database(const Settings& settings);

} // namespace lodge::daemon
