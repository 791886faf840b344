#pragma once

#include "daemon/services/operations.hpp"
#include "lib/base/unique_fd.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace lodge::daemon {

/// Hands events to subscribers through bounded queues. Thread-safe; outlives its subscriptions.
class EventBus {
  public:
    /// `witness` gets every event in the publishing thread, before the event is queued and
    /// numbered. It must be thread-safe.
    explicit EventBus(std::function<void(const Event&)> witness = {});
    void publish(Event event);
    /// Starts with the last `past` events: at most kKeptEvents in all and kKeptOfOne of one
    /// resource.
    [[nodiscard]] std::unique_ptr<EventSubscription> subscribe(std::size_t past = 0);
    /// Subscribes to the events of one resource, so that a waiter is not woken by those of all
    /// others.
    [[nodiscard]] std::unique_ptr<EventSubscription> subscribe_to(const std::string& resource);
    /// Called when the daemon ends: wakes and ends all subscriptions, and makes closed_fd()
    /// readable.
    void close();
    [[nodiscard]] bool closed();
    /// Readable once closed; a step polls it beside its own descriptor.
    [[nodiscard]] int closed_fd() const { return closed_fd_.get(); }

  private:
    friend class QueueSubscription;
    struct Queue {
        std::optional<std::string> resource; ///< absent: all
        std::deque<Event> events;
        std::condition_variable changed;
    };
    void keep(const Event& event); ///< Pre: lock_ is held

    const std::function<void(const Event&)> witness_;
    std::mutex lock_; ///< protects all below and the queues of subscriptions
    std::list<Queue> queues_;
    std::deque<Event> past_; ///< the last kKeptEvents
    std::uint64_t sequence_ = 0;
    bool closed_ = false;
    UniqueFd closed_fd_;
};

} // namespace lodge::daemon
