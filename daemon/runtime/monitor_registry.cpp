#include "daemon/runtime/monitor_registry.hpp"

#include <algorithm>
#include <utility>

namespace lodge::daemon {

void MonitorRegistry::put(const Uuid& container, MonitorPtr monitor) {
    const std::lock_guard guard(lock_);
    MonitorPtr& known = monitors_[container];
    killed_.erase(known.get());
    known = std::move(monitor);
    if (notify_) {
        notify_();
    }
}

void MonitorRegistry::remove(const Uuid& container) {
    const std::lock_guard guard(lock_);
    if (const auto at = monitors_.find(container); at != monitors_.end()) {
        killed_.erase(at->second.get());
        monitors_.erase(at);
    }
    if (notify_) {
        notify_();
    }
}

MonitorRegistry::MonitorPtr MonitorRegistry::find(const Uuid& container) {
    const std::lock_guard guard(lock_);
    const auto at = monitors_.find(container);
    return at == monitors_.end() ? nullptr : at->second;
}

std::map<Uuid, MonitorRegistry::MonitorPtr> MonitorRegistry::all() {
    const std::lock_guard guard(lock_);
    return monitors_;
}

void MonitorRegistry::note_kill(const Monitor& monitor) {
    const std::lock_guard guard(lock_);
    const bool known = std::any_of(monitors_.begin(), monitors_.end(), [&](const auto& entry) {
        return entry.second.get() == &monitor;
    });
    if (known) {
        killed_.insert(&monitor);
    }
}

bool MonitorRegistry::was_killed(const Monitor& monitor) {
    const std::lock_guard guard(lock_);
    return killed_.contains(&monitor);
}

void MonitorRegistry::on_change(std::function<void()> notify) {
    const std::lock_guard guard(lock_);
    notify_ = std::move(notify);
}

} // namespace lodge::daemon
