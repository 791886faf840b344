#include "daemon/monitor/loop.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/epoll.h>

namespace lodge::monitor {

Result<Loop> Loop::create() {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) {
        return fail_errno("epoll_create1");
    }
    return Loop(std::move(epoll));
}

Status Loop::add(int fd, std::uint32_t events, Watcher& watcher) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &watcher;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return fail_errno("epoll_ctl");
    }
    return {};
}

Status Loop::rearm(int fd, std::uint32_t events, Watcher& watcher) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &watcher;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
        return fail_errno("epoll_ctl");
    }
    return {};
}

void Loop::remove(int fd) {
    if (fd >= 0) {
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); // not in the set: success
    }
}

Status Loop::turn() {
    Deadline first = Deadline::never();
    for (const Alarm* alarm : alarms_) {
        first = std::min(first, alarm->at_);
    }
    epoll_event event{};
    const int count = ::epoll_wait(epoll_.get(), &event, 1, first.poll_timeout());
    if (count < 0 && errno != EINTR) {
        return fail_errno("epoll_wait");
    }
    if (count > 0) {
        static_cast<Watcher*>(event.data.ptr)->ready(event.events);
    }
    ring_those_due();
    return {};
}

void Loop::ring_those_due() {
    const auto is_due = [](const Alarm* alarm) { return alarm->at_.expired(); };
    for (auto due = alarms_.end();
         (due = std::find_if(alarms_.begin(), alarms_.end(), is_due)) != alarms_.end();) {
        Alarm& alarm = **due;
        const auto call = alarm.call_; // a copy: the call may destroy the alarm
        alarm.stop();
        call();
    }
}

void Alarm::set(const Deadline& at) {
    stop();
    at_ = at;
    loop_.alarms_.push_back(this);
}

void Alarm::stop() {
    std::erase(loop_.alarms_, this);
}

} // namespace lodge::monitor
