#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <functional>

/// A session's client: each runs to the session's end and gives the exit code.
namespace lodge::cli {

/// A command, with stdin, stdout and stderr as they are.
[[nodiscard]] Result<int> run_piped(const UniqueFd& connection, bool without_input);
/// A command on a terminal of the container's: bytes never pass through the daemon or the monitor.
[[nodiscard]] Result<int> run_terminal(const UniqueFd& connection);
/// The container's console. `greet` is called behind what was kept of it: once nothing more comes,
/// or a second has gone, or a key is typed.
[[nodiscard]] Result<int> run_console(const UniqueFd& connection,
                                      const std::function<void()>& greet);

} // namespace lodge::cli
