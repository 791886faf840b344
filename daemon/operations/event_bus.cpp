#include "daemon/operations/event_bus.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <utility>

#include <sys/eventfd.h>

namespace lodge::daemon {

namespace {

constexpr std::size_t kLongestQueue = 1024;
static_assert(kKeptEvents <= kLongestQueue);

void add(std::deque<Event>& queue, const Event& event, std::size_t longest) {
    if (queue.size() >= longest) {
        queue.pop_front(); // a reader sees the gap in `sequence`
    }
    queue.push_back(event);
}

} // namespace

class QueueSubscription final : public EventSubscription {
  public:
    QueueSubscription(EventBus& bus, std::list<EventBus::Queue>::iterator queue)
        : bus_(bus), queue_(queue) {}
    QueueSubscription(const QueueSubscription&) = delete;
    QueueSubscription& operator=(const QueueSubscription&) = delete;
    ~QueueSubscription() override {
        const std::lock_guard guard(bus_.lock_);
        bus_.queues_.erase(queue_);
    }

    std::optional<Event> next(const Deadline& deadline) override {
        std::unique_lock guard(bus_.lock_);
        std::deque<Event>& events = queue_->events;
        const auto ready = [&] { return bus_.closed_ || !events.empty(); };
        if (!queue_->changed.wait_for(guard, deadline.left(), ready) || events.empty()) {
            return std::nullopt;
        }
        Event event = std::move(events.front());
        events.pop_front();
        return event;
    }

    bool ended() override { return bus_.closed(); }

  private:
    EventBus& bus_;
    std::list<EventBus::Queue>::iterator queue_;
};

EventBus::EventBus(std::function<void(const Event&)> witness)
    : witness_(std::move(witness)), closed_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void EventBus::publish(Event event) {
    if (witness_) {
        witness_(event); // outside the lock, so that a slow log delays no other thread
    }
    const std::lock_guard guard(lock_);
    event.sequence = ++sequence_;
    event.at = unix_milliseconds();
    for (Queue& queue : queues_) {
        if (!queue.resource || *queue.resource == event.resource) {
            add(queue.events, event, kLongestQueue);
            queue.changed.notify_all(); // under the lock: the subscription may end after it
        }
    }
    keep(event);
}

// A resource with many events replaces its own kept events, not those of other resources.
void EventBus::keep(const Event& event) {
    const auto is_of_it = [&](const Event& other) {
        return other.kind != "daemon" && other.resource == event.resource;
    };
    if (event.kind != "daemon" &&
        std::cmp_greater_equal(std::count_if(past_.begin(), past_.end(), is_of_it), kKeptOfOne)) {
        past_.erase(std::find_if(past_.begin(), past_.end(), is_of_it));
    }
    add(past_, event, kKeptEvents);
}

std::unique_ptr<EventSubscription> EventBus::subscribe(std::size_t past) {
    const std::lock_guard guard(lock_);
    const auto kept = static_cast<std::ptrdiff_t>(std::min(past, past_.size()));
    Queue& queue = queues_.emplace_back();
    queue.events.assign(past_.end() - kept, past_.end());
    return std::make_unique<QueueSubscription>(*this, std::prev(queues_.end()));
}

std::unique_ptr<EventSubscription> EventBus::subscribe_to(const std::string& resource) {
    const std::lock_guard guard(lock_);
    queues_.emplace_back().resource = resource;
    return std::make_unique<QueueSubscription>(*this, std::prev(queues_.end()));
}

void EventBus::close() {
    const std::lock_guard guard(lock_);
    closed_ = true;
    for (Queue& queue : queues_) {
        queue.changed.notify_all();
    }
    (void)::eventfd_write(closed_fd_.get(), 1); // its counter is far from full
}

bool EventBus::closed() {
    const std::lock_guard guard(lock_);
    return closed_;
}

} // namespace lodge::daemon
