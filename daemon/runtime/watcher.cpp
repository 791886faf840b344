#include "daemon/runtime/watcher.hpp"

#include "lib/base/contained.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace lodge::daemon {

Watcher::Watcher(MonitorRegistry& monitors, Exited exited, Backoff::Pause first)
    : monitors_(monitors), exited_(std::move(exited)), first_pause_(first),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this](const std::stop_token& stop) { watch(stop); }) {
    monitors_.on_change([this] { wake(); });
}

Watcher::~Watcher() {
    monitors_.on_change({});
    thread_.request_stop();
    wake();
}

void Watcher::wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one); // full means that a wake-up is pending already
}

void Watcher::tell(const Uuid& container, Monitor& monitor, ToldAll& told) const {
    const auto status = monitor.status();
    if (status && !status->exit) {
        told.erase(&monitor);
        return;
    }
    if (status || is_unwatched(status.error())) {
        exited_(container, monitor, status ? status->exit : std::nullopt);
    }
    told.try_emplace(&monitor, first_pause_).first->second.fail();
}

int Watcher::timeout_of(const ToldAll& told) {
    Deadline first = Deadline::never();
    for (const auto& [monitor, pause] : told) {
        first = std::min(first, pause.until());
    }
    return first.poll_timeout();
}

// Want of memory does not end the watch, which continues after a pause.
void Watcher::watch(const std::stop_token& stop) {
    ToldAll told; // news are level-triggered: those that were told stay readable
    while (!stop.stop_requested()) {
        if (!contained([&] { return look(told), Status{}; })) {
            (void)::poll(nullptr, 0, static_cast<int>(first_pause_.count())); // only time passes
        }
    }
}

void Watcher::look(ToldAll& told) {
    const auto monitors = monitors_.all();
    std::vector<pollfd> waits{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    std::vector<Uuid> who{Uuid{}};
    ToldAll still;
    for (const auto& [container, monitor] : monitors) {
        const auto mark = told.find(monitor.get());
        if (mark != told.end()) {
            still.insert(*mark);
        }
        if (mark == told.end() || !mark->second.waits()) {
            waits.push_back({.fd = monitor->event_fd(), .events = POLLIN, .revents = 0});
            who.push_back(container);
        }
    }
    told = std::move(still);
    if (::poll(waits.data(), waits.size(), timeout_of(told)) < 0) {
        // More than the limit of descriptors, or no memory for the list: not for ever.
        (void)::poll(waits.data(), 1, static_cast<int>(first_pause_.count()));
        for (pollfd& wait : waits) {
            wait.revents = POLLIN; // a monitor without news says so
        }
    }
    if (waits[0].revents != 0) {
        std::uint64_t count = 0;
        (void)!::read(wake_.get(), &count, sizeof count); // only empties it
    }
    for (std::size_t i = 1; i < waits.size(); ++i) {
        Monitor& monitor = *monitors.at(who[i]);
        if (waits[i].revents != 0 || told.contains(&monitor)) {
            tell(who[i], monitor, told);
        }
    }
}

} // namespace lodge::daemon
