#pragma once

#include "daemon/runtime/monitor_registry.hpp"
#include "lib/base/backoff.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <thread>

namespace lodge::daemon {

/// Waits in one thread for news of all running containers: an init that ended, a monitor that is
/// gone. It repeats each call of `exited`, each time after twice as long, until the monitor is off
/// the registry, from which the following stop removes it. So no news is lost when it cannot be
/// acted on (a database that cannot be written) or read (no descriptor to ask with).
class Watcher {
  public:
    /// `exited` is called in the watching thread; `exit` is absent when the monitor itself is gone.
    using Exited = std::function<void(
        const Uuid& container, const Monitor& monitor, const std::optional<InitExit>& exit)>;
    Watcher(MonitorRegistry& monitors, Exited exited, Backoff::Pause first = Backoff::kFirst);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

  private:
    /// The monitors whose news was passed on, and when to repeat it.
    using ToldAll = std::map<const Monitor*, Backoff>;
    void watch(const std::stop_token& stop);
    void look(ToldAll& told);
    void wake() const;
    void tell(const Uuid& container, Monitor& monitor, ToldAll& told) const;
    [[nodiscard]] static int timeout_of(const ToldAll& told);

    MonitorRegistry& monitors_;
    Exited exited_;
    Backoff::Pause first_pause_;
    UniqueFd wake_;
    std::jthread thread_;
};

} // namespace lodge::daemon
