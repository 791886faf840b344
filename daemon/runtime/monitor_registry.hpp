#pragma once

#include "daemon/runtime/runtime.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace lodge::daemon {

/// The running containers' monitors, by container. Thread-safe.
class MonitorRegistry {
  public:
    using MonitorPtr = std::shared_ptr<Monitor>;
    void put(const Uuid& container, MonitorPtr monitor);
    void remove(const Uuid& container);
    /// Null when there is none.
    [[nodiscard]] MonitorPtr find(const Uuid& container);
    [[nodiscard]] std::map<Uuid, MonitorPtr> all();
    /// Notes that SIGKILL is sent to its init on request, so that the kernel is not blamed for the
    /// end.
    void note_kill(const Monitor& monitor);
    [[nodiscard]] bool was_killed(const Monitor& monitor);
    /// Sets the function that is called after every change, with the registry's lock held: it must
    /// be short and not call the registry. After the return the former function does not run any
    /// more.
    void on_change(std::function<void()> notify);

  private:
    std::mutex lock_;
    std::map<Uuid, MonitorPtr> monitors_;
    std::set<const Monitor*> killed_; ///< of monitors_
    std::function<void()> notify_;
};

} // namespace lodge::daemon
