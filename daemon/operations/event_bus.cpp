#include "daemon/operations/event_bus.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include <sys/eventfd.h>

namespace lodge::daemon {

namespace {

constexpr std::size_t kLongestQueue = 1024;
static_assert(kKeptEvents <= kLongestQueue);

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void add(std::deque<Event>& queue, const Event& event, std::size_t longest) {
    if (queue.size() >= longest) {
        queue.pop_front(); // a reader sees the gap in `sequence`
    }
    queue.push_back(event);
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

    bool ended() override { return bus_.closed(); }

  private:
    EventBus& bus_;
    std::list<std::deque<Event>>::iterator queue_;
};

EventBus::EventBus(std::function<void(const Event&)> witness)
    : witness_(std::move(witness)), closed_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void EventBus::publish(Event event) {
    if (witness_) {
        witness_(event); // outside the lock: a log that is slow to write holds up nobody else
    }
    {
        const std::lock_guard guard(lock_);
        event.sequence = ++sequence_;
        event.at = now_ms();
        for (std::deque<Event>& queue : queues_) {
            add(queue, event, kLongestQueue);
        }
        add(past_, event, kKeptEvents);
    }
    changed_.notify_all();
}

std::unique_ptr<EventSubscription> EventBus::subscribe(std::size_t past) {
    const std::lock_guard guard(lock_);
    const auto kept = static_cast<std::ptrdiff_t>(std::min(past, past_.size()));
    return std::make_unique<QueueSubscription>(
        *this, queues_.emplace(queues_.end(), past_.end() - kept, past_.end()));
}

void EventBus::close() {
    {
        const std::lock_guard guard(lock_);
        closed_ = true;
    }
    (void)::eventfd_write(closed_fd_.get(), 1); // its counter is far from full
    changed_.notify_all();
}

bool EventBus::closed() {
    const std::lock_guard guard(lock_);
    return closed_;
}

} // namespace lodge::daemon
