#pragma once

#include "lib/base/error.hpp"
#include "templates/definition.hpp"

#include <string>

namespace lodge::templates {

/// What kind of system a tree holds, as far as the daemon must know.
struct TreeKind {
    std::string init;        ///< absolute path
    std::string program;     ///< the name of what it comes to through all links: "systemd"
    std::string halt_signal; ///< what a graceful stop sends
    std::string ready;       ///< "ssh" when the tree has an SSH server
};

/// invalid_argument when the tree is no root of a distribution (no real /etc, no init that can be
/// executed), or no container of it could start. The tree may be hostile.
[[nodiscard]] Result<TreeKind> inspect_tree(int tree_fd);

/// Takes out what each container must have of its own or of now: machine-id, ssh host keys, host
/// name, resolver configuration. The tree may be hostile.
[[nodiscard]] Status depersonalise(int tree_fd);

/// What a definition says: paths removed, files put in, units masked. The tree may be hostile.
[[nodiscard]] Status apply_definition(int tree_fd, const Definition& definition);

} // namespace lodge::templates
