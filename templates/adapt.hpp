#pragma once

#include "lib/base/error.hpp"
#include "templates/tree.hpp"

#include <string>
#include <vector>

namespace lodge::templates {

/// Makes a distribution's tree, which may be hostile, fit for a container: SSH host keys of each
/// container's own at its first start, an init that halts when it is asked to, nothing in
/// /etc/fstab that is the host's matter. Returns a sentence for each of these that could not be
/// had. Pre: `kind` is that of the tree.
[[nodiscard]] Result<std::vector<std::string>> adapt(int tree_fd, const TreeKind& kind);

/// An /etc/fstab without what a container finds mounted and without disks and swap, of which it has
/// none: those lines become comments. Pure.
[[nodiscard]] std::string without_disks(const std::string& fstab);

/// An /etc/inittab(5) of System V init's in which a power failure, as which the host's wish for a
/// halt arrives, runs `halt_command` at once, and a getty is on the console alone. Empty when the
/// text is none of System V init's: busybox's has another form. Pure.
[[nodiscard]] std::string with_halt(const std::string& inittab, const std::string& halt_command);

} // namespace lodge::templates
