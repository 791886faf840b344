#pragma once

#include "lib/base/error.hpp"
#include "templates/tree.hpp"

#include <string>
#include <vector>

namespace lodge::templates {

/// Changes a distribution's tree, which may be hostile, for use in a container: each container
/// makes its own SSH host keys at its first start, init halts when it is asked to, /etc/fstab has
/// no line that is the host's matter. Returns a sentence for each of these that it could not do.
/// Pre: `kind` is that of the tree.
[[nodiscard]] Result<std::vector<std::string>> adapt(int tree_fd, const TreeKind& kind);

/// An /etc/fstab whose lines for mounts that a container already has, for disks and for swap are
/// comments. Pure.
[[nodiscard]] std::string without_disks(const std::string& fstab);

/// An inittab(5) of System V init in which a power failure, the form in which the host's request to
/// halt arrives, runs `halt_command` at once, with one getty, on the console. Empty when the text
/// has another form, such as busybox's. Pure.
[[nodiscard]] std::string with_halt(const std::string& inittab, const std::string& halt_command);

} // namespace lodge::templates
