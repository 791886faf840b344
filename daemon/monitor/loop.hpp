#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace lodge::monitor {

/// Gets the events of its descriptor (epoll(7)).
class Watcher {
  public:
    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    virtual ~Watcher() = default;
    virtual void ready(std::uint32_t events) = 0;
};

/// A watcher that calls a member function of its owner.
template <typename Owner>
class Port final : public Watcher {
  public:
    Port(Owner& owner, void (Owner::*handler)(std::uint32_t)) : owner_(owner), handler_(handler) {}
    void ready(std::uint32_t events) override { (owner_.*handler_)(events); }

  private:
    Owner& owner_;
    void (Owner::*handler_)(std::uint32_t);
};

class Alarm;

/// An epoll loop that handles one event at a time, so that a handler may destroy any watcher, its
/// own included, and no event points to a destroyed one.
class Loop {
  public:
    static Result<Loop> create();
    [[nodiscard]] Status add(int fd, std::uint32_t events, Watcher& watcher);
    /// Arms an edge-triggered descriptor again.
    [[nodiscard]] Status rearm(int fd, std::uint32_t events, Watcher& watcher);
    /// Call it before `fd` is closed: a copy of the descriptor elsewhere would keep it in the set.
    void remove(int fd);
    /// Waits for one event or alarm and handles it.
    [[nodiscard]] Status turn();

  private:
    friend class Alarm;
    explicit Loop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
    void ring_those_due();
    UniqueFd epoll_;
    std::vector<Alarm*> alarms_; ///< those that are set
};

/// Calls its function once at its time. It may be set anew or destroyed at any time, also by that
/// function. Pre: the loop stays in place and outlives it.
class Alarm {
  public:
    Alarm(Loop& loop, std::function<void()> call) : loop_(loop), call_(std::move(call)) {}
    ~Alarm() { stop(); }
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;
    void set(const Deadline& at);
    void stop();

  private:
    friend class Loop;
    Loop& loop_;
    std::function<void()> call_;
    Deadline at_ = Deadline::never();
};

} // namespace lodge::monitor
