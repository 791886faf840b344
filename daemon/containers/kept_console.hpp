#pragma once

#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lodge::daemon {

/// What the consoles of a container's last lives showed: RUN/consoles/UUID, mode 0600, the last 64
/// KiB, each life followed by a line that says how it ended. Below the run directory, as it is a
/// tenant's output in plain text: it goes with the host's memory. Thread-safe for containers that
/// are not the same.

struct ConsoleLife {
    std::string log;
    std::int64_t started_at = 0; ///< Unix seconds
    std::string ended;           ///< how: "exit 1"
};
/// Appends a life that showed anything. The same life again changes nothing.
[[nodiscard]] Status
keep_console(const std::string& run_directory, const Uuid& container, const ConsoleLife& life);
/// Empty when there is none.
[[nodiscard]] Result<std::string> kept_console(const std::string& run_directory,
                                               const Uuid& container);
/// Missing: success.
[[nodiscard]] Status forget_console(const std::string& run_directory, const Uuid& container);
/// The containers of which there is one.
[[nodiscard]] Result<std::vector<Uuid>> list_kept_consoles(const std::string& run_directory);

/// What was kept, and then what the living console shows, unless that is its end already.
[[nodiscard]] std::string joined_consoles(const std::string& kept, const std::string& living);

} // namespace lodge::daemon
