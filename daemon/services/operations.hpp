#pragma once

#include "daemon/services/caller.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lodge::daemon {

enum class OperationStatus : std::uint8_t { running, succeeded, failed, cancelled };

/// A running or ended operation, as a value.
struct OperationView {
    Uuid id;
    std::string verb;     ///< "create", "start", "template build", ...
    std::string resource; ///< name of the container or template
    OperationStatus status = OperationStatus::running;
    std::string step;                  ///< the step it is in or ended in
    std::vector<std::string> warnings; ///< parts of the request that will not hold
    std::optional<Error> error;
    std::int64_t started_at = 0; ///< Unix milliseconds
    std::int64_t ended_at = 0;   ///< 0: not yet
    bool cancellable = false;    ///< cancel() would take it
};

/// One thing that happened. Kinds: "operation" (progress and end), "container" (state change),
/// "template", "daemon".
struct Event {
    std::uint64_t sequence = 0;
    std::int64_t at = 0; ///< Unix milliseconds
    std::string kind;
    std::string resource;
    std::string what; ///< "created", "running", "changed", "frozen", "stopped", "crashed", ...
    std::optional<OperationView> operation;
    std::string detail;
};

/// `what` of the "daemon" event of a boot that begins its containers' starts.
inline constexpr const char* kHostStartsUp = "host starts up";

/// Number of events that are kept for later subscribers: a start of the daemon is over before
/// anybody can subscribe.
inline constexpr std::size_t kKeptEvents = 256;
/// Of them, at most this many of one container or template.
inline constexpr std::size_t kKeptOfOne = 64;

/// A subscriber's bounded queue. It drops the oldest events of a slow reader, who sees a gap in
/// `sequence`. Thread-safe.
class EventSubscription {
  public:
    EventSubscription() = default;
    EventSubscription(const EventSubscription&) = delete;
    EventSubscription& operator=(const EventSubscription&) = delete;
    virtual ~EventSubscription() = default;
    /// Next event; nullopt at the deadline or when the daemon ends.
    [[nodiscard]] virtual std::optional<Event> next(const Deadline& deadline) = 0;
    /// Whether the daemon ends: next() does not wait any more.
    [[nodiscard]] virtual bool ended() = 0;
};

class OperationService {
  public:
    OperationService() = default;
    OperationService(const OperationService&) = delete;
    OperationService& operator=(const OperationService&) = delete;
    virtual ~OperationService() = default;
    [[nodiscard]] virtual Result<OperationView> get(const Caller& caller, const Uuid& id) = 0;
    [[nodiscard]] virtual std::vector<OperationView> list(const Caller& caller) = 0;
    /// Waits until the operation has ended or the deadline; the view says which. unreachable when
    /// the daemon ends before.
    [[nodiscard]] virtual Result<OperationView>
    wait(const Caller& caller, const Uuid& id, const Deadline& deadline) = 0;
    /// invalid_state when it has ended or is past its commit point.
    [[nodiscard]] virtual Status cancel(const Caller& caller, const Uuid& id) = 0;
    /// Starts with the last `past` events, at most kKeptEvents.
    [[nodiscard]] virtual std::unique_ptr<EventSubscription> subscribe(const Caller& caller,
                                                                       std::size_t past) = 0;
};

} // namespace lodge::daemon
