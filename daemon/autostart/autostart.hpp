#pragma once

#include "daemon/containers/container_service.hpp"
#include "daemon/containers/parts.hpp"
#include "lib/base/backoff.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>

namespace lodge::daemon {

/// Writes down, once for each boot of the host, which containers it brings up (boot_sequence.hpp).
/// To be called before recovery, which marks what ran in another boot as stopped.
[[nodiscard]] Status enter_boot(const Parts& parts);

/// A shutdown of the host in the log of operations, and its one step.
inline constexpr const char* kHostShutdown = "host shutdown";
inline constexpr const char* kShutdownStep = "stop containers";

/// Starts the containers that nobody asks for now: those of a boot and those that their restart
/// policy brings back. What is to be started stands in the rows, so that a daemon that is killed
/// goes on where it was. One thread of its own, which ends when the events do: close them before it
/// is destroyed. The methods are thread-safe.
class Autostart {
  public:
    /// Begins at once. `at_once`: of its starts, at most so many are on their way at the same time.
    Autostart(const Parts& parts,
              Containers& containers,
              OperationEngine& engine,
              unsigned at_once);

    /// Begins an operation that stops all containers, the last to start first, those of one boot
    /// order together, and what is being started as soon as it is up; nobody can start another
    /// meanwhile. Each is asked to halt, a busy one as soon as it no longer is; what has not by
    /// `timeout` is killed. They come up with the next boot, or with start_up(), if their policy
    /// says so; nothing is started by itself until then.
    [[nodiscard]] Result<Uuid> shut_down(std::chrono::milliseconds timeout);
    /// Begins to bring up what a boot would. Returns the number of containers.
    [[nodiscard]] Result<std::size_t> start_up();

  private:
    void work();
    void look();
    Deadline begin_due();
    void begin(const model::Container& container);
    void collect();
    void failed(const Uuid& container, const Error& error);
    Status stop_all(const Deadline& deadline);
    Status stop_in_order(std::vector<model::Container> containers, const Deadline& deadline);
    Status stop_together(std::vector<model::Container> containers, const Deadline& deadline);

    const Parts& parts_;
    Containers& containers_;
    OperationEngine& engine_;
    const unsigned at_once_;
    std::atomic<bool> held_ = false;    ///< the host goes down
    std::map<Uuid, Uuid> on_their_way_; ///< container to operation; of the thread alone
    Backoff illness_;                   ///< of the database; of the thread alone
    std::unique_ptr<EventSubscription> events_;
    std::jthread thread_;
};

} // namespace lodge::daemon
