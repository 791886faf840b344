#include "daemon/operations/event_bus.hpp"

#include <chrono>
#include <utility>

namespace lodge::daemon {

namespace {

constexpr std::size_t kLongestQueue = 1024;

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

} // namespace

class QueueSubscription final : public EventSubscription {
  public:
    QueueSubscription(EventBus& bus, std::list<std::deque<Event>>::iterator queue)
        : bus_(bus), queue_(queue) {}
    QueueSubscription(const QueueSubscription&) = delete;
    QueueSubscription& operator=(const QueueSubscription&) = delete;
    ~QueueSubscription() override {
        const std::lock_guard guard(bus_.lock_);
        bus_.queues_.erase(queue_);
    }

    std::optional<Event> next(const Deadline& deadline) override {
        std::unique_lock guard(bus_.lock_);
        const auto ready = [&] { return bus_.closed_ || !queue_->empty(); };
        if (!bus_.changed_.wait_for(guard, deadline.left(), ready) || queue_->empty()) {
            return std::nullopt;
        }
        Event event = std::move(queue_->front());
        queue_->pop_front();
        return event;
    }

  private:
    EventBus& bus_;
    std::list<std::deque<Event>>::iterator queue_;
};

void EventBus::publish(Event event) {
    if (witness_) {
        witness_(event); // outside the lock: a log that is slow to write holds up nobody else
    }
    {
        const std::lock_guard guard(lock_);
        event.sequence = ++sequence_;
        event.at = now_ms();
        for (std::deque<Event>& queue : queues_) {
            if (queue.size() >= kLongestQueue) {
                queue.pop_front(); // the reader sees the gap in `sequence`
            }
            queue.push_back(event);
        }
    }
    changed_.notify_all();
}

std::unique_ptr<EventSubscription> EventBus::subscribe() {
    const std::lock_guard guard(lock_);
    return std::make_unique<QueueSubscription>(*this, queues_.emplace(queues_.end()));
}

void EventBus::close() {
    {
        const std::lock_guard guard(lock_);
        closed_ = true;
    }
    changed_.notify_all();
}

} // namespace lodge::daemon
