// The starts of a boot, on a fake host whose starts take no time.
#include "daemon/autostart/autostart.hpp"
#include "tests/fault/rig.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include <fcntl.h>

namespace lodge::test {

namespace {

using daemon::Caller;

std::ptrdiff_t starts_on_their_way(Rig& rig) {
    const auto all = rig.engine().list();
    return std::count_if(all.begin(), all.end(), [](const daemon::OperationView& view) {
        return view.verb == "start" && view.status == daemon::OperationStatus::running;
    });
}

std::ptrdiff_t running(Rig& rig) {
    const auto all = rig.views().list(daemon::Caller{}, false);
    return std::count_if(all->begin(), all->end(), [](const daemon::ContainerView& view) {
        return view.container.state == model::State::running;
    });
}

class AtOnce : public ::testing::TestWithParam<unsigned> {
  protected:
    void SetUp() override {
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_TRUE(
            rig_.outcome(rig_.templates().import(Caller{}, "base", {.bytes = std::move(archive)})));
        for (std::ptrdiff_t made = 0; made < kContainers; ++made) {
            daemon::CreateRequest request;
            request.spec.name = "web" + std::to_string(made);
            request.spec.template_name = "base";
            request.spec.boot.onboot = model::OnBoot::yes;
            ASSERT_TRUE(rig_.outcome(rig_.containers().create(Caller{}, std::move(request))));
        }
    }
    void TearDown() override { rig_.events().close(); }

    static constexpr std::ptrdiff_t kContainers = 8;
    TempDir directory_;
    World world_{directory_.path()};
    Rig rig_{world_};
};

TEST_P(AtOnce, SoManyStartsAreOnTheirWayAndNoMore) {
    const auto news = rig_.events().subscribe(0);
    daemon::Autostart autostart(rig_.parts(), rig_.containers(), rig_.engine(), GetParam());
    const auto planned = autostart.start_up();
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(30)));
    std::ptrdiff_t most = 0;
    while (running(rig_) < kContainers && news->next(deadline)) {
        most = std::max(most, starts_on_their_way(rig_));
    }
    rig_.events().close(); // this ends its thread
    ASSERT_TRUE(planned);
    EXPECT_EQ(*planned, static_cast<std::size_t>(kContainers));
    EXPECT_EQ(running(rig_), kContainers);
    EXPECT_LE(most, GetParam());
}

class StartsByThemselves : public AtOnce {
  protected:
    model::Container row() { return rig_.views().info(daemon::Caller{}, "web0").value().container; }
    // Plans its start for now, and wakes the thread of Autostart.
    void plan_start() {
        model::Container due = row();
        due.start_at = boottime_ms();
        ASSERT_TRUE(rig_.parts().containers.plan_start(due, {}).value());
        rig_.events().publish({.kind = "daemon", .resource = "test", .what = "wake"});
    }
    Status stop() {
        return rig_.outcome(rig_.containers().stop(Caller{}, "web0", {.force = true}));
    }
};

// A full disk: the write to the log of operations fails.
TEST_P(StartsByThemselves, GoOnWhenAShutdownCouldNotBeWrittenDown) {
    const auto news = rig_.events().subscribe(0);
    daemon::Autostart autostart(rig_.parts(), rig_.containers(), rig_.engine(), GetParam());
    rig_.world().before("database.write", [this] { rig_.world().arm(Fault::fails, 1); });
    const auto refused = autostart.shut_down(std::chrono::seconds(1));
    rig_.world().disarm();
    EXPECT_FALSE(refused) << rig_.world().fired();
    plan_start();
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(20)));
    while (row().state != model::State::running && news->next(deadline)) {
    }
    rig_.events().close();
    EXPECT_EQ(row().state, model::State::running);
}

// The stop comes between the read of the rows and the write.
TEST_P(StartsByThemselves, AreNotPlannedByAStartupOverAStop) {
    daemon::Autostart autostart(rig_.parts(), rig_.containers(), rig_.engine(), GetParam());
    // Nothing starts by itself meanwhile.
    EXPECT_TRUE(rig_.outcome(autostart.shut_down(std::chrono::seconds(1))));
    model::Container shut_down = row();
    shut_down.spec.boot.onboot = model::OnBoot::automatic;
    shut_down.resume = true;
    EXPECT_TRUE(rig_.parts().containers.update_spec(shut_down.uuid, shut_down.spec));
    EXPECT_TRUE(rig_.parts().containers.update_state(shut_down, "boot"));
    rig_.world().before("database.write", [this] { EXPECT_TRUE(stop()); });
    const auto planned = autostart.start_up();
    rig_.events().close();
    ASSERT_TRUE(planned);
    EXPECT_EQ(*planned, static_cast<std::size_t>(kContainers - 1));
    EXPECT_EQ(row().start_at, std::nullopt);
    EXPECT_FALSE(row().resume);
}

// The same for the new plan after a failed start: its warning comes between read and write.
TEST_P(StartsByThemselves, AreNotPlannedAnewOverAStop) {
    daemon::Parts parts = rig_.parts();
    Status stopped = fail(ErrorCode::internal, "nobody stopped it");
    std::atomic<bool> told = false;
    parts.warn = [&](const std::string& line) {
        if (line.starts_with("start 'web0'") && !told) {
            stopped = stop();
            told = true;
        }
    };
    model::Container failing = row();
    failing.spec.restart = {.when = model::RestartWhen::always};
    ASSERT_TRUE(rig_.parts().containers.update_spec(failing.uuid, failing.spec));
    const auto news = rig_.events().subscribe(0);
    auto autostart =
        std::make_unique<daemon::Autostart>(parts, rig_.containers(), rig_.engine(), GetParam());
    rig_.world().before("runtime.begin", [this] { rig_.world().arm(Fault::fails, 1); });
    plan_start();
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(20)));
    while (!told && news->next(deadline)) {
    }
    rig_.events().close();
    autostart.reset(); // its thread has ended
    ASSERT_TRUE(told);
    EXPECT_TRUE(stopped);
    EXPECT_EQ(row().start_at, std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Autostart, StartsByThemselves, ::testing::Values(1U));
INSTANTIATE_TEST_SUITE_P(Autostart, AtOnce, ::testing::Values(1U, 3U));

} // namespace

} // namespace lodge::test
