#pragma once

#include "lib/base/error.hpp"
#include "templates/definition.hpp"

#include <string>

namespace lodge::templates {

/// The kind of system in a tree, as far as the daemon needs it.
struct TreeKind {
    std::string init;        ///< absolute path
    std::string program;     ///< the program behind all its links: "systemd"
    std::string halt_signal; ///< the signal of a graceful stop
    std::string ready;       ///< "ssh" when the tree has an SSH server
};

/// invalid_argument when the tree is no root of a distribution (no real /etc, no init that can be
/// executed), or no container of it could start. The tree may be hostile.
[[nodiscard]] Result<TreeKind> inspect_tree(int tree_fd);

/// Removes the files that each container must have of its own: machine-id, ssh host keys, host
/// name, resolver configuration. The tree may be hostile.
[[nodiscard]] Status depersonalise(int tree_fd);

/// Applies a definition: removes paths, adds files, masks units. The tree may be hostile.
[[nodiscard]] Status apply_definition(int tree_fd, const Definition& definition);

} // namespace lodge::templates
