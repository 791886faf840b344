#pragma once

#include "daemon/services.hpp"
#include "lib/base/unique_fd.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

namespace lodge::daemon {

/// Hands events to subscribers through bounded queues. Thread-safe; outlives its subscriptions.
class EventBus {
  public:
    /// `witness` sees every event on the thread that publishes it, before it is queued and
    /// numbered. It must be thread-safe.
    explicit EventBus(std::function<void(const Event&)> witness = {});
    void publish(Event event);
    /// Begins with the last `past` events, at most kKeptEvents.
    [[nodiscard]] std::unique_ptr<EventSubscription> subscribe(std::size_t past = 0);
    /// The daemon ends: wakes and ends all subscriptions, and whoever looks at closed_fd().
    void close();
    [[nodiscard]] bool closed();
    /// Readable once closed: to be polled beside what a step waits for.
    [[nodiscard]] int closed_fd() const { return closed_fd_.get(); }

  private:
    friend class QueueSubscription;
    const std::function<void(const Event&)> witness_;
    std::mutex lock_; ///< protects all below and the queues of subscriptions
    std::condition_variable changed_;
    std::list<std::deque<Event>> queues_;
    std::deque<Event> past_; ///< the last kKeptEvents
    std::uint64_t sequence_ = 0;
    bool closed_ = false;
    UniqueFd closed_fd_;
};

} // namespace lodge::daemon
