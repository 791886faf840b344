#include "daemon/containers/watcher.hpp"

#include <cerrno>
#include <set>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace lodge::daemon {

Watcher::Watcher(MonitorRegistry& monitors, Exited exited)
    : monitors_(monitors), exited_(std::move(exited)),
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

void Watcher::watch(const std::stop_token& stop) {
    std::set<const Monitor*> told; // level-triggered: news that were told stay readable
    while (!stop.stop_requested()) {
        const auto monitors = monitors_.all();
        std::vector<pollfd> waits{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
        std::vector<Uuid> who{Uuid{}};
        std::set<const Monitor*> still;
        for (const auto& [container, monitor] : monitors) {
            if (told.contains(monitor.get())) {
                still.insert(monitor.get());
                continue;
            }
            waits.push_back({.fd = monitor->event_fd(), .events = POLLIN, .revents = 0});
            who.push_back(container);
        }
        told = std::move(still);
        if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
            return; // cannot happen with descriptors of our own
        }
        if (waits[0].revents != 0) {
            std::uint64_t count = 0;
            (void)!::read(wake_.get(), &count, sizeof count); // only empties it
        }
        for (std::size_t i = 1; i < waits.size(); ++i) {
            if (waits[i].revents == 0) {
                continue;
            }
            const auto& monitor = monitors.at(who[i]);
            const auto status = monitor->status();
            if (status && !status->exit) {
                continue;
            }
            told.insert(monitor.get());
            exited_(who[i], status ? status->exit : std::nullopt);
        }
    }
}

} // namespace lodge::daemon
