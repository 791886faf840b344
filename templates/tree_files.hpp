#pragma once

#include "lib/base/error.hpp"
#include "templates/definition.hpp"

#include <string>

namespace lodge::templates {

/// Paths in a tree that may be hostile: absolute, with symlinks on the way resolved inside the
/// tree. A failure of the host (no descriptors, say) is an error, never "missing".

[[nodiscard]] Result<bool> exists_in(int tree_fd, const std::string& path);
/// The file's content, at most 256 KiB; empty when it is missing, or no regular file.
[[nodiscard]] Result<std::string> text_in(int tree_fd, const std::string& path);
/// The last component may be a pattern (fnmatch(3)). A missing one is success.
[[nodiscard]] Status remove_in(int tree_fd, const std::string& path);
/// Replaces an existing entry; makes missing directories.
[[nodiscard]] Status put_in(int tree_fd, const DefinedFile& file);
/// The name of the program behind `path`, through all symlinks: "busybox" of a /sbin/init.
[[nodiscard]] Result<std::string> program_in(int tree_fd, const std::string& path);

} // namespace lodge::templates
