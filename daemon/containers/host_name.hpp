#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// Remembers that the tree of this volume was given this host name. `volume_fd` is the root of the
/// volume's filesystem, which its tenant does not see.
[[nodiscard]] Status remember_host_name(int volume_fd, const std::string& hostname);

/// When the host name is not the one that the tree was given last, writes it into /etc/hostname of
/// `tree` (a path below the volume's root), from where a distribution takes it, and in the place of
/// the old one into /etc/hosts (`addresses`: the container's own), and remembers it. What its
/// tenant wrote there stays otherwise. The tree is hostile: nothing in it is followed, and one that
/// has no plain /etc, or no plain file in it, is left as it is.
[[nodiscard]] Status renew_host_name(int volume_fd,
                                     const std::string& tree,
                                     const std::string& hostname,
                                     const std::vector<std::string>& addresses);

} // namespace lodge::daemon
