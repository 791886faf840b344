#pragma once

#include "lib/base/error.hpp"

#include <cstddef>
#include <string>

/// Files that a command line names. One that cannot be read is invalid_argument, as any other wrong
/// word is, and is told with the verb and the option that named it: "create --spec".
namespace lodge::cli {

[[nodiscard]] Result<std::string>
read_named_file(const std::string& option, const std::string& path, std::size_t longest);

/// Whether it can be read, which is found out before anything is asked of the daemon.
[[nodiscard]] Status check_named_file(const std::string& option, const std::string& path);

} // namespace lodge::cli
