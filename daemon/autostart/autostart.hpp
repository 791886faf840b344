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

/// Plans the starts of a boot, once for each boot of the host (boot_sequence.hpp). Call it before
/// recovery, which marks containers of another boot as stopped.
[[nodiscard]] Status enter_boot(const Parts& parts);

/// A shutdown of the host in the log of operations, and its one step.
inline constexpr const char* kHostShutdown = "host shutdown";
inline constexpr const char* kShutdownStep = "stop containers";

/// Runs the planned starts: those of a boot and those of restart policies. The plans are in the
/// rows, so the next daemon continues where a killed one was. It has one thread, which ends when
/// the events do: close them before the destructor. The methods are thread-safe.
class Autostart {
  public:
    /// Begins at once. `at_once`: the largest number of its starts that run at the same time.
    Autostart(const Parts& parts,
              Containers& containers,
              OperationEngine& engine,
              unsigned at_once);

    /// Begins an operation that stops all containers: in the reverse order of their start, those of
    /// one boot order together, and those that are being started as soon as they are up. No other
    /// container can start meanwhile. It asks each to halt, a busy one as soon as its operation has
    /// ended, and kills those that have not halted by `timeout`. They come up with the next boot,
    /// or with start_up(), if their policy says so; no planned start runs until then.
    [[nodiscard]] Result<Uuid> shut_down(std::chrono::milliseconds timeout);
    /// Begins the starts that a boot would. Returns the number of containers.
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
    std::map<Uuid, Uuid> on_their_way_; ///< container to operation; for the thread only
    Backoff illness_;                   ///< of the database; for the thread only
    std::unique_ptr<EventSubscription> events_;
    std::jthread thread_;
};

} // namespace lodge::daemon
