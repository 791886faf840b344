#include "tests/fault/rig.hpp"
#include "tests/fault/things.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

namespace lodge::test {

namespace {

using daemon::Caller;
using model::State;

/// A process of the container that SIGKILL does not end.
class Stuck : public ::testing::Test {
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
        group_ = "ct-" + row().uuid.to_string();
    }
    model::Container row() { return rig_.views().info(daemon::Caller{}, "web1").value().container; }
    void add(const std::string& thing) {
        world_.happen([&](Things& things) { things.insert(thing + " in " + group_); });
    }
    void take(const std::string& thing) {
        world_.happen([&](Things& things) { things.erase(thing + " in " + group_); });
    }
    Status stop() { return after(rig_.containers().stop(Caller{}, "web1", {.force = true})); }
    Status start() { return after(rig_.containers().start(Caller{}, "web1")); }
    Status after(const Result<Uuid>& operation) {
        Status status = rig_.outcome(operation);
        EXPECT_TRUE(rig_.settle("web1"));
        return status;
    }

    TempDir directory_;
    World world_{directory_.path()};
    Rig rig_{world_};
    std::string group_;
};

TEST_F(Stuck, AWaitForAServerOfItsOwnIsBroken) {
    add("waits for FUSE");
    ASSERT_TRUE(stop());
    EXPECT_EQ(row().state, State::stopped);
    EXPECT_TRUE(start());
}

TEST_F(Stuck, ItIsBrokenAndSaysWhyUntilAStopComesThrough) {
    add("stuck process");
    const Status stopped = stop();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code(), ErrorCode::timeout);
    EXPECT_EQ(row().state, State::broken);
    EXPECT_THAT(row().broken_why, ::testing::HasSubstr("wait in the kernel: 0 ("));
    const Status started = start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), ErrorCode::invalid_state);
    EXPECT_FALSE(stop()) << "it is stuck still";
    take("stuck process");
    ASSERT_TRUE(stop());
    EXPECT_EQ(row().state, State::stopped);
    EXPECT_EQ(row().broken_why, "");
    EXPECT_EQ(row().last_exit, "signal 9");
    EXPECT_TRUE(start());
}

// After a request for its end it must stay stopped, even if it dies late.
TEST_F(Stuck, ItDoesNotComeBackByItsPolicy) {
    const model::SpecChange always{{"restart", "always"}};
    ASSERT_TRUE(after(rig_.containers().set(Caller{}, "web1", always)));
    add("stuck process");
    EXPECT_FALSE(stop());
    take("stuck process");
    const std::string uuid = row().uuid.to_string();
    world_.happen([&](Things& things) { end_processes(things, uuid, "signal 9"); });
    rig_.watch();
    EXPECT_EQ(row().state, State::stopped);
    EXPECT_FALSE(row().start_at);
}

TEST_F(Stuck, ADestroyLeavesItWholeUntilItCanBeDone) {
    add("stuck process");
    EXPECT_FALSE(after(rig_.containers().destroy(Caller{}, "web1", true)));
    EXPECT_EQ(row().state, State::broken);
    take("stuck process");
    EXPECT_TRUE(after(rig_.containers().destroy(Caller{}, "web1", true)));
    EXPECT_THAT(rig_.ledger(), ::testing::Not(::testing::Contains("directory")));
}

TEST_F(Stuck, TheNextDaemonStopsWhatIsNoLongerStuck) {
    add("stuck process");
    EXPECT_FALSE(stop());
    take("stuck process");
    Rig next(world_);
    EXPECT_EQ(next.views().info(daemon::Caller{}, "web1")->container.state, State::stopped);
}

} // namespace

} // namespace lodge::test
