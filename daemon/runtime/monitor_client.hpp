#pragma once

#include "daemon/monitor/protocol.hpp"
#include "daemon/runtime/runtime.hpp"

#include <memory>
#include <string>

namespace lodge::daemon {

/// Directory of a container's monitor below the run directory.
[[nodiscard]] std::string monitor_directory(const std::string& run_directory,
                                            const Uuid& container);

/// A connection to the monitor whose directory is `directory_fd`, after its `welcome`. not_found
/// when none listens, or the listening one is about to end. A monitor that does not answer within a
/// second gets SIGCONT; timeout when it still does not. busy when it has no place for another
/// connection.
struct MonitorConnection {
    UniqueFd socket;
    std::uint16_t version = 0;
    std::int32_t pid = 0;
};
[[nodiscard]] Result<MonitorConnection> connect_monitor(int directory_fd, bool subscribe);

/// The process of that directory's monitor, as a pidfd, also when it answers nobody. not_found when
/// none listens.
[[nodiscard]] Result<UniqueFd> open_monitor_process(int directory_fd);

/// Makes the Monitor of a living one: `directory` is its directory, `events` a subscribed
/// connection. Each call makes a connection of its own, so that calls do not wait for one another.
[[nodiscard]] std::unique_ptr<Monitor> make_monitor(UniqueFd directory, UniqueFd events);

} // namespace lodge::daemon
