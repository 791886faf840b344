#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// Records in the volume that its tree has this host name. `volume_fd` is the root of the volume's
/// filesystem, which the tenant does not see.
[[nodiscard]] Status remember_host_name(int volume_fd, const std::string& hostname);

/// If the host name differs from the recorded one: writes it into /etc/hostname of `tree` (a path
/// below the volume's root), replaces the old one in /etc/hosts (`addresses`: the container's own),
/// and records it. The tenant's other text stays. The tree is hostile: nothing in it is followed,
/// and a tree without a plain /etc, or without plain files in it, is left unchanged.
[[nodiscard]] Status renew_host_name(int volume_fd,
                                     const std::string& tree,
                                     const std::string& hostname,
                                     const std::vector<std::string>& addresses);

} // namespace lodge::daemon
