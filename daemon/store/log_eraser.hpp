#pragma once

#include "lib/base/error.hpp"
#include "lib/db/database.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace lodge::daemon {

/// Empties the log of the database soon after a container was removed, because its sealed key is in
/// the log until then. It works in a thread of its own, once for all requests within a second, so
/// that no destroy waits for it. At its start the daemon empties a log that a killed one left. Ends
/// in the destructor.
class LogEraser {
  public:
    using Warn = std::function<void(const std::string&)>;
    LogEraser(db::Database& database, Warn warn);
    ~LogEraser();
    LogEraser(const LogEraser&) = delete;
    LogEraser& operator=(const LogEraser&) = delete;

    /// Returns at once. Thread-safe.
    void ask();

  private:
    void run();

    db::Database& database_;
    Warn warn_;
    std::mutex lock_; ///< protects asked_ and stopping_
    std::condition_variable changed_;
    bool asked_ = true; ///< for the log of an earlier daemon
    bool stopping_ = false;
    std::thread thread_; ///< last: it uses all of the above
};

} // namespace lodge::daemon
