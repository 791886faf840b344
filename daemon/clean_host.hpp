#pragma once

#include "daemon/settings.hpp"
#include "lib/base/error.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// Removes what lodged made on this host outside of its state directory: control groups, bridge,
/// firewall tables, mounts of templates, and at last the run directory. The next daemon makes all
/// of it anew. Returns a line for each object that it removed or left. It removes nothing from
/// the state directory; to know whose a card is, it opens the database as a daemon does. busy,
/// before it changes anything, while a container runs or its volume is open, or while another
/// lodged's containers have cards here. A missing object is no error, so a second call completes a
/// call that was killed. Pre: the caller holds the lock of the state directory.
[[nodiscard]] Result<std::vector<std::string>> clean_host(const Settings& settings);

/// Whether a lodged has run with these directories since the boot, and no clean_host() since. If
/// not, there is nothing to clean, and a bridge on this host belongs to somebody else: this may be
/// a host that only builds a package of Lodge.
[[nodiscard]] bool has_run_here(const Settings& settings);

/// A line about the state directory: volumes and keys, and the command that removes them.
[[nodiscard]] Result<std::string> describe_what_stays(const Settings& settings);

} // namespace lodge::daemon
