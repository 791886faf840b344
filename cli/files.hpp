#pragma once

#include "lib/base/error.hpp"

#include <cstddef>
#include <string>

/// Files that the command line names. A file that cannot be read is invalid_argument, as any other
/// wrong argument. The error names the verb and the option: "create --spec".
namespace lodge::cli {

[[nodiscard]] Result<std::string>
read_named_file(const std::string& option, const std::string& path, std::size_t longest);

/// Checks that the file can be read, before the first request to the daemon.
[[nodiscard]] Status check_named_file(const std::string& option, const std::string& path);

} // namespace lodge::cli
