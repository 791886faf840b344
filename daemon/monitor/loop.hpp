#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace lodge::monitor {

/// Is told when its descriptor is ready (epoll(7) events).
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

/// epoll, one event at a time: a handler may destroy any watcher, its own included, without leaving
/// an event behind that points to it.
class Loop {
  public:
    static Result<Loop> create();
    [[nodiscard]] Status add(int fd, std::uint32_t events, Watcher& watcher);
    /// Arms an edge-triggered descriptor again.
    [[nodiscard]] Status rearm(int fd, std::uint32_t events, Watcher& watcher);
    /// Call before closing `fd`: a copy of it elsewhere would keep it in the set.
    void remove(int fd);
    /// Waits for one event, or for an alarm, and has it handled.
    [[nodiscard]] Status turn();

  private:
    friend class Alarm;
    explicit Loop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
    void ring_those_due();
    UniqueFd epoll_;
    std::vector<Alarm*> alarms_; ///< that are set
};

/// Calls once when its time has come. May be set anew or destroyed at any time, also by what it
/// calls. Pre: the loop stays where it is and outlives it.
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
