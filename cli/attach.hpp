#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <functional>

/// The clients of sessions. Each function returns at the end of the session, with the exit code.
namespace lodge::cli {

/// A command with our stdin, stdout and stderr.
[[nodiscard]] Result<int> run_piped(const UniqueFd& connection, bool without_input);
/// A command on a terminal of the container. The bytes do not pass through the daemon or the
/// monitor.
[[nodiscard]] Result<int> run_terminal(const UniqueFd& connection);
/// The container's console. Calls `greet` after the kept log of the console: when no more output
/// comes, after a second, or when the user types a key.
[[nodiscard]] Result<int> run_console(const UniqueFd& connection,
                                      const std::function<void()>& greet);

} // namespace lodge::cli
