#pragma once

#include "daemon/runtime/runtime.hpp"
#include "tests/support/patience.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include <poll.h>

namespace lodge::test {

/// The guarantees of monitors and their runtime for their callers (daemon/runtime/runtime.hpp). The
/// tests run on the fault tier's fake and on the real one.
///
/// `Host` is a fixture that has `runtime()`; `another_runtime()`, that of the next daemon; `uuid()`
/// of a container that is ready to start; `build()`, which begins the start and sends the layers;
/// `await_up(Monitor&)`, which waits until its init handles signals; `kill_group()`, which kills
/// all of it but its monitor; `is_empty()`: none of its processes is left, or the last ones end in
/// a moment.
template <typename Host>
class MonitorContract : public Host {
  protected:
    void TearDown() override {
        monitor_.reset();
        Host::TearDown();
    }
    void start() {
        auto starting = this->build();
        ASSERT_TRUE(starting) << starting.error().to_string();
        init_ = (*starting)->init();
        auto monitor = (*starting)->finish();
        ASSERT_TRUE(monitor) << monitor.error().to_string();
        monitor_ = std::move(*monitor);
        ASSERT_NO_FATAL_FAILURE(this->await_up(*monitor_));
    }
    void expect_done(const Status& status) { EXPECT_TRUE(status) << status.error().to_string(); }
    void expect_nobody_watches(daemon::Runtime& runtime) {
        const auto found = runtime.connect(this->uuid());
        ASSERT_FALSE(found);
        EXPECT_TRUE(daemon::is_unwatched(found.error())) << found.error().to_string();
    }
    void expect_gone(daemon::Monitor& monitor) {
        ASSERT_NO_FATAL_FAILURE(await_news(monitor));
        const auto status = monitor.status();
        ASSERT_FALSE(status);
        EXPECT_TRUE(daemon::is_unwatched(status.error())) << status.error().to_string();
    }
    void await_news(daemon::Monitor& monitor) {
        pollfd wait{.fd = monitor.event_fd(), .events = POLLIN, .revents = 0};
        const auto span = patience(std::chrono::seconds(10));
        ASSERT_EQ(::poll(&wait, 1, static_cast<int>(span.count())), 1);
    }
    void expect_watched(daemon::Monitor& monitor) {
        const auto status = monitor.status();
        ASSERT_TRUE(status) << status.error().to_string();
        EXPECT_EQ(status->init.pid, init_.pid);
        EXPECT_EQ(status->init.start_time, init_.start_time);
        EXPECT_FALSE(status->exit);
    }
    void expect_exit(daemon::Monitor& monitor, daemon::InitExit::Kind kind, int status) {
        ASSERT_NO_FATAL_FAILURE(await_news(monitor));
        const auto told = monitor.status();
        ASSERT_TRUE(told) << told.error().to_string();
        ASSERT_TRUE(told->exit);
        EXPECT_EQ(told->exit->kind, kind);
        EXPECT_EQ(told->exit->status, status);
    }

    daemon::InitProcess init_;
    std::unique_ptr<daemon::Monitor> monitor_;
};

TYPED_TEST_SUITE_P(MonitorContract);

TYPED_TEST_P(MonitorContract, AreNotThereBeforeTheyAreBegun) {
    EXPECT_THAT(this->runtime().list().value(), ::testing::IsEmpty());
    ASSERT_NO_FATAL_FAILURE(this->expect_nobody_watches(this->runtime()));
    this->expect_done(this->runtime().discard(this->uuid()));
}

TYPED_TEST_P(MonitorContract, AreFoundByTheNextDaemonUntilTheyAreDiscarded) {
    ASSERT_NO_FATAL_FAILURE(this->start());
    ASSERT_NO_FATAL_FAILURE(this->expect_watched(*this->monitor_));
    const auto next = this->another_runtime();
    EXPECT_THAT(next->list().value(), ::testing::ElementsAre(this->uuid()));
    const auto found = next->connect(this->uuid());
    ASSERT_TRUE(found) << found.error().to_string();
    ASSERT_NO_FATAL_FAILURE(this->expect_watched(**found));
    this->expect_done(next->discard(this->uuid()));
    ASSERT_NO_FATAL_FAILURE(this->expect_gone(**found));
    ASSERT_NO_FATAL_FAILURE(this->expect_gone(*this->monitor_));
    ASSERT_NO_FATAL_FAILURE(this->expect_nobody_watches(*next));
    EXPECT_THAT(next->list().value(), ::testing::IsEmpty());
}

TYPED_TEST_P(MonitorContract, EndWithAStartThatIsGivenUp) {
    auto starting = this->build();
    ASSERT_TRUE(starting) << starting.error().to_string();
    starting->reset();
    EXPECT_TRUE(this->is_empty());
    ASSERT_NO_FATAL_FAILURE(this->expect_nobody_watches(this->runtime()));
    this->expect_done(this->runtime().discard(this->uuid()));
    EXPECT_THAT(this->runtime().list().value(), ::testing::IsEmpty());
}

TYPED_TEST_P(MonitorContract, KeepHowInitEndedUntilTheyAreReleased) {
    using Kind = daemon::InitExit::Kind;
    ASSERT_NO_FATAL_FAILURE(this->start());
    this->expect_done(this->monitor_->signal_init(SIGPWR));
    ASSERT_NO_FATAL_FAILURE(this->expect_exit(*this->monitor_, Kind::halted, SIGINT));
    EXPECT_TRUE(this->is_empty());
    const auto next = this->another_runtime();
    const auto found = next->connect(this->uuid());
    ASSERT_TRUE(found) << found.error().to_string();
    ASSERT_NO_FATAL_FAILURE(this->expect_exit(**found, Kind::halted, SIGINT));
    this->expect_done((*found)->release());
    ASSERT_NO_FATAL_FAILURE(this->expect_gone(*this->monitor_));
    this->expect_done(next->discard(this->uuid()));
    ASSERT_NO_FATAL_FAILURE(this->expect_nobody_watches(*next));
    EXPECT_THAT(next->list().value(), ::testing::IsEmpty());
}

TYPED_TEST_P(MonitorContract, TellOfAnInitThatWasKilled) {
    using Kind = daemon::InitExit::Kind;
    ASSERT_NO_FATAL_FAILURE(this->start());
    this->expect_done(this->monitor_->signal_init(SIGKILL));
    ASSERT_NO_FATAL_FAILURE(this->expect_exit(*this->monitor_, Kind::signalled, SIGKILL));
    EXPECT_TRUE(this->is_empty());
}

TYPED_TEST_P(MonitorContract, OutliveTheirGroupsEnd) {
    using Kind = daemon::InitExit::Kind;
    ASSERT_NO_FATAL_FAILURE(this->start());
    ASSERT_NO_FATAL_FAILURE(this->kill_group());
    ASSERT_NO_FATAL_FAILURE(this->expect_exit(*this->monitor_, Kind::signalled, SIGKILL));
    this->expect_done(this->monitor_->release());
    ASSERT_NO_FATAL_FAILURE(this->expect_gone(*this->monitor_));
}

REGISTER_TYPED_TEST_SUITE_P(MonitorContract,
                            AreNotThereBeforeTheyAreBegun,
                            AreFoundByTheNextDaemonUntilTheyAreDiscarded,
                            EndWithAStartThatIsGivenUp,
                            KeepHowInitEndedUntilTheyAreReleased,
                            TellOfAnInitThatWasKilled,
                            OutliveTheirGroupsEnd);

} // namespace lodge::test
