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
/// that no destroy waits for it. The next daemon does at its start what a killed one did not. Ends
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
    bool asked_ = true; ///< what an earlier daemon left
    bool stopping_ = false;
    std::thread thread_; ///< last: it uses all of the above
};

} // namespace lodge::daemon
