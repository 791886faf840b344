#pragma once

#include "daemon/containers/parts.hpp"

#include <functional>
#include <thread>

namespace lodge::daemon {

/// Waits in one thread for news of all running containers: an init that ended, a monitor that is
/// gone. Tells once per container; the stop that follows takes the container off the registry.
class Watcher {
  public:
    /// `exited` is called in the watching thread; `exit` is absent when the monitor itself is gone.
    using Exited = std::function<void(const Uuid& container, const std::optional<InitExit>& exit)>;
    Watcher(MonitorRegistry& monitors, Exited exited);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

  private:
    void watch(const std::stop_token& stop);
    void wake() const;

    MonitorRegistry& monitors_;
    Exited exited_;
    UniqueFd wake_;
    std::jthread thread_;
};

} // namespace lodge::daemon
