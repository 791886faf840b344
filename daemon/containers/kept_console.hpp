#pragma once

#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lodge::daemon {

/// The console output of a container's earlier lives: RUN/consoles/UUID, mode 0600, the last 64
/// KiB, each life followed by a line that says how it ended. It is below the run directory, because
/// it is a tenant's output in plain text: it goes when the host goes down. Thread-safe for
/// different containers.

struct ConsoleLife {
    std::string log;
    std::int64_t started_at = 0; ///< Unix seconds
    std::string ended;           ///< how: "exit 1"
};
/// Appends a life with any output. The same life again changes nothing.
[[nodiscard]] Status
keep_console(const std::string& run_directory, const Uuid& container, const ConsoleLife& life);
/// Empty when there is none.
[[nodiscard]] Result<std::string> kept_console(const std::string& run_directory,
                                               const Uuid& container);
/// Missing: success.
[[nodiscard]] Status forget_console(const std::string& run_directory, const Uuid& container);
/// The containers with such a file.
[[nodiscard]] Result<std::vector<Uuid>> list_kept_consoles(const std::string& run_directory);

/// The kept output followed by that of the living console, unless `kept` already ends with it.
[[nodiscard]] std::string joined_consoles(const std::string& kept, const std::string& living);

} // namespace lodge::daemon
