#include "daemon/api/workers.hpp"

#include <chrono>
#include <system_error>
#include <utility>

namespace lodge::daemon {

namespace {

constexpr auto kIdle = std::chrono::seconds(10);

} // namespace

Workers::Workers(Bounds bounds, std::function<void(Incoming)> serve)
    : bounds_(bounds), serve_(std::move(serve)) {
    const std::lock_guard guard(lock_);
    for (std::size_t i = 0; i < bounds_.at_first; ++i) {
        begin_thread();
    }
}

Workers::~Workers() {
    close();
    (void)await_end(Deadline::never());
}

void Workers::begin_thread() {
    const auto self = threads_.emplace(threads_.end());
    try {
        *self = std::jthread([this, self] { work(self); });
    } catch (...) {
        threads_.erase(self);
        throw;
    }
}

void Workers::give(Incoming incoming) {
    Threads ended; // joined outside the lock
    {
        const std::lock_guard guard(lock_);
        ended.swap(ended_);
        if (closed_ || queue_.size() >= bounds_.most_waiting) {
            return;
        }
        queue_.push_back(std::move(incoming));
        if (queue_.size() > idle_ && threads_.size() < bounds_.most) {
            try {
                begin_thread();
            } catch (const std::system_error&) {
                // No thread is available: the request waits for an existing one.
            }
        }
    }
    changed_.notify_one();
}

void Workers::close() {
    {
        const std::lock_guard guard(lock_);
        closed_ = true;
        queue_.clear();
    }
    changed_.notify_all();
}

bool Workers::await_end(const Deadline& deadline) {
    std::unique_lock guard(lock_);
    return changed_.wait_for(guard, deadline.left(), [this] { return threads_.empty(); });
}

// The entry of a thread, which may run without memory: so nothing here allocates.
void Workers::work(Threads::iterator self) noexcept {
    while (auto incoming = next(self)) {
        serve_(std::move(*incoming));
    }
}

// The next request; nullopt: this thread must end, and is in `ended_`.
std::optional<Incoming> Workers::next(Threads::iterator self) {
    std::unique_lock guard(lock_);
    const auto anything = [this] { return closed_ || !queue_.empty(); };
    ++idle_;
    while (!changed_.wait_for(guard, kIdle, anything)) {
        if (threads_.size() > bounds_.at_first) {
            break;
        }
    }
    --idle_;
    if (queue_.empty()) {
        ended_.splice(ended_.end(), threads_, self);
        changed_.notify_all();
        return std::nullopt;
    }
    std::optional<Incoming> incoming(std::move(queue_.front()));
    queue_.pop_front();
    return incoming;
}

} // namespace lodge::daemon
