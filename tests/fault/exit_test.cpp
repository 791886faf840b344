#include "lib/base/clock.hpp"
#include "tests/fault/rig.hpp"
#include "tests/fault/things.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using daemon::Caller;
using daemon::InitExit;

/// Init ends by itself: the values of the row afterwards.
class Exit : public ::testing::Test {
  protected:
    void SetUp() override {
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_TRUE(
            rig_.outcome(rig_.templates().import(Caller{}, "base", {.bytes = std::move(archive)})));
        daemon::CreateRequest request;
        request.spec.name = "web1";
        request.spec.template_name = "base";
        request.start = true;
        ASSERT_TRUE(rig_.outcome(rig_.containers().create(Caller{}, std::move(request))));
        uuid_ = rig_.views().info(daemon::Caller{}, "web1")->container.uuid;
    }
    void kill_init() {
        world_.happen(
            [&](Things& things) { end_processes(things, uuid_.to_string(), "signal 9"); });
    }
    std::string last_exit_after_kill(bool oom_kill) {
        kill_init();
        if (oom_kill) {
            world_.happen(
                [&](Things& things) { things.insert("oom kill in ct-" + uuid_.to_string()); });
        }
        rig_.watch();
        EXPECT_TRUE(rig_.settle("web1"));
        return rig_.last_exit("web1");
    }

    TempDir directory_;
    World world_{directory_.path()};
    Rig rig_{world_};
    Uuid uuid_;
};

constexpr InitExit kKilled{.kind = InitExit::Kind::signalled, .status = SIGKILL};

TEST_F(Exit, NamesTheWantOfMemoryThatEndedInit) {
    EXPECT_EQ(last_exit_after_kill(true), "signal 9, out of memory");
}

TEST_F(Exit, NamesNoWantOfMemoryThatWasNone) {
    EXPECT_EQ(last_exit_after_kill(false), "signal 9");
}

// The group counts each OOM kill, also that of an earlier process of the tenant.
TEST_F(Exit, ByAnOrderIsNoWantOfMemory) {
    ASSERT_TRUE(rig_.containers().kill(Caller{}, "web1", SIGKILL));
    EXPECT_EQ(last_exit_after_kill(true), "signal 9");
    ASSERT_TRUE(rig_.outcome(rig_.containers().start(Caller{}, "web1")));
    EXPECT_EQ(last_exit_after_kill(true), "signal 9, out of memory") << "another init";
}

TEST_F(Exit, IsCollectedOnce) {
    const auto monitor = rig_.monitors().find(uuid_);
    EXPECT_EQ(last_exit_after_kill(true), "signal 9, out of memory");
    const auto ledger = rig_.ledger();
    rig_.containers().exited(uuid_, *monitor, kKilled);
    EXPECT_EQ(rig_.ledger(), ledger);
    EXPECT_EQ(rig_.last_exit("web1"), "signal 9, out of memory");
}

// The collect finds the container busy, and must not be lost for that.
TEST_F(Exit, DuringAnotherVerbIsCollectedAfterIt) {
    world_.before("groups.wait_frozen", [this] {
        kill_init();
        rig_.containers().exited(uuid_, *rig_.monitors().find(uuid_), kKilled);
    });
    ASSERT_TRUE(rig_.outcome(rig_.containers().set_frozen(Caller{}, "web1", true)));
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(30)));
    // The row has the exit one step before the end of the collect.
    while ((!rig_.settle("web1") || rig_.last_exit("web1").empty()) && !deadline.expired()) {
    }
    EXPECT_EQ(rig_.last_exit("web1"), "signal 9");
    EXPECT_EQ(rig_.views().info(daemon::Caller{}, "web1")->container.state, model::State::stopped);
}

// The first reboot is at once, as for a person. Each further one after a short life waits longer.
TEST_F(Exit, ByARebootAfterAShortLifeIsStartedAgainAfterAPause) {
    const auto reboot = [this] {
        // The fake's init is as old as the host; this one was started just now.
        model::Container now = rig_.views().info(daemon::Caller{}, "web1")->container;
        now.init_start_time =
            static_cast<std::uint64_t>(boottime_ms() * ::sysconf(_SC_CLK_TCK) / 1000);
        EXPECT_TRUE(rig_.parts().containers.update_state(now, "boot"));
        world_.happen([&](Things& things) { end_processes(things, uuid_.to_string(), "reboot"); });
        rig_.watch();
        EXPECT_TRUE(rig_.settle("web1"));
        return rig_.views().info(daemon::Caller{}, "web1")->container;
    };
    model::Container row = reboot();
    EXPECT_EQ(row.state, model::State::running);
    EXPECT_EQ(row.restarts, 1U);
    for (const std::int64_t seconds : {1, 2, 4}) {
        const std::int64_t before = boottime_ms();
        row = reboot();
        EXPECT_EQ(row.state, model::State::stopped);
        EXPECT_EQ(row.last_exit, "reboot");
        ASSERT_TRUE(row.start_at);
        EXPECT_GE(*row.start_at, before + seconds * 1000);
        EXPECT_LE(*row.start_at, boottime_ms() + seconds * 1000);
        // As Autostart does when the start is due.
        ASSERT_TRUE(rig_.outcome(rig_.containers().start(Caller{}, "web1")));
        EXPECT_TRUE(rig_.settle("web1"));
    }
    ASSERT_TRUE(rig_.outcome(rig_.containers().stop(Caller{}, "web1", {.force = true})));
    EXPECT_TRUE(rig_.settle("web1"));
    EXPECT_EQ(rig_.views().info(daemon::Caller{}, "web1")->container.restarts, 0U)
        << "a stop by a person";
}

// The watcher may be slow: meanwhile a restart has collected that init and started another one.
TEST_F(Exit, OfAnEarlierInitEndsNoLaterOne) {
    const auto monitor = rig_.monitors().find(uuid_);
    ASSERT_TRUE(rig_.outcome(rig_.containers().restart(Caller{}, "web1", {.force = true})));
    EXPECT_TRUE(rig_.settle("web1"));
    const auto ledger = rig_.ledger();
    for (const std::optional<InitExit> exit : {std::optional(kKilled), {}}) {
        rig_.containers().exited(uuid_, *monitor, exit);
        EXPECT_TRUE(rig_.settle("web1"));
        EXPECT_EQ(rig_.ledger(), ledger);
    }
}

} // namespace

} // namespace lodge::test
