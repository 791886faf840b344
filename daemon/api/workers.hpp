#pragma once

#include "daemon/api/incoming.hpp"
#include "lib/base/clock.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

namespace lodge::daemon {

/// Serves requests, each in a thread of its own. Threads are made on demand and end after a while
/// without work. Thread-safe.
class Workers {
  public:
    struct Bounds {
        std::size_t at_first = 4; ///< made at once, whatever threads the host has later
        std::size_t most = 4;     ///< further requests wait
        std::size_t most_waiting = 1;
    };
    /// `serve` throws nothing.
    Workers(Bounds bounds, std::function<void(Incoming)> serve);
    /// Waits for all threads.
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    /// Drops the request when too many wait, or after close().
    void give(Incoming incoming);
    /// Accepts nothing more and drops the waiting requests.
    void close();
    /// Waits until every served request has ended. False: not by the deadline. Pre: close().
    [[nodiscard]] bool await_end(const Deadline& deadline);

  private:
    using Threads = std::list<std::jthread>;
    void begin_thread(); ///< pre: lock_ is held
    void work(Threads::iterator self) noexcept;
    [[nodiscard]] std::optional<Incoming> next(Threads::iterator self);

    const Bounds bounds_;
    std::function<void(Incoming)> serve_;
    std::mutex lock_; ///< protects all below
    std::condition_variable changed_;
    std::deque<Incoming> queue_;
    std::size_t idle_ = 0;
    bool closed_ = false;
    Threads threads_;
    Threads ended_; ///< or about to
};

} // namespace lodge::daemon
