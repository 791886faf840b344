// `host check` beside operations that begin or end during its search or its repair.
#include "tests/fault/rig.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

namespace lodge::test {

namespace {

using daemon::Caller;
using daemon::CheckReport;
using daemon::Finding;
using Words = std::vector<std::string>;

class HostCheckTest : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(import("base"));
        daemon::CreateRequest request{.start = true};
        request.spec.name = "web1";
        request.spec.template_name = "base";
        ASSERT_TRUE(rig_.outcome(rig_.containers().create(Caller{}, std::move(request))));
        ASSERT_TRUE(rig_.settle("web1"));
    }
    Status import(const std::string& name) {
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        return rig_.outcome(rig_.templates().import(Caller{}, name, {.bytes = std::move(archive)}));
    }
    CheckReport check(bool repair = false) {
        auto report = rig_.check().run(repair);
        EXPECT_TRUE(report) << report.error().to_string();
        return report ? std::move(*report) : CheckReport{};
    }
    static Words steps(const CheckReport& report) {
        Words all;
        for (const Finding& finding : report.findings) {
            all.push_back(std::string(to_string(finding.outcome.step.act)) + " " +
                          std::string(to_string(finding.state)));
        }
        return all;
    }
    static Words busy(const CheckReport& report) {
        Words all;
        for (const daemon::Holder& holder : report.busy) {
            all.push_back(holder.verb + " " + holder.resource);
        }
        return all;
    }
    // Removes web1's element from the firewall from outside; and puts it back.
    void lose_element() {
        world_.happen([this](Things& things) {
            std::erase_if(things, [this](const std::string& thing) {
                const bool lost = thing.starts_with("element ");
                element_ = lost ? thing : element_;
                return lost;
            });
        });
        ASSERT_FALSE(element_.empty());
    }
    void return_element() {
        world_.happen([this](Things& things) { things.insert(element_); });
    }
    void stop() {
        EXPECT_TRUE(rig_.outcome(rig_.containers().stop(Caller{}, "web1", {.force = true})));
        EXPECT_TRUE(rig_.settle("web1"));
    }

    TempDir directory_;
    World world_{directory_.path()};
    Rig rig_{world_};
    std::string element_;
};

TEST_F(HostCheckTest, SaysNothingOfAHostThatAgrees) {
    const Words before = rig_.ledger();
    EXPECT_THAT(steps(check()), ::testing::IsEmpty());
    EXPECT_THAT(steps(check(true)), ::testing::IsEmpty());
    EXPECT_EQ(rig_.ledger(), before);
}

TEST_F(HostCheckTest, OnlyTellsWhatARepairMends) {
    lose_element();
    const Words damaged = rig_.ledger();
    EXPECT_EQ(steps(check()), Words{"admit_card mendable"});
    EXPECT_EQ(rig_.ledger(), damaged);
    EXPECT_EQ(steps(check(true)), Words{"admit_card mended"});
    EXPECT_TRUE(world_.things().contains(element_));
    EXPECT_EQ(steps(check()), Words{});
}

// The check reads rows and monitor before the stop and the group after it. A judgement of these
// values would be about half a container.
TEST_F(HostCheckTest, DoesNotJudgeWhatBeganAndEndedWhileItLooked) {
    lose_element();
    world_.before("groups.list", [this] { stop(); });
    const CheckReport report = check(true);
    EXPECT_EQ(steps(report), Words{});
    EXPECT_THAT(busy(report), ::testing::Contains("stop web1"));
}

TEST_F(HostCheckTest, DoesNotTouchWhatAnOperationIsAtWorkOn) {
    stop();
    CheckReport report;
    world_.before("clone.build", [&] { report = check(true); }); // during the start
    EXPECT_TRUE(rig_.outcome(rig_.containers().start(Caller{}, "web1")));
    EXPECT_EQ(steps(report), Words{});
    EXPECT_EQ(busy(report), Words{"start web1"});
    ASSERT_TRUE(rig_.settle("web1"));
    EXPECT_EQ(steps(check()), Words{});
}

TEST_F(HostCheckTest, DoesNotTouchTheImageOfATemplateThatIsBeingMade) {
    CheckReport report;
    world_.before("store.publish", [&] {
        // The image exists; the next write is the intent to name it.
        world_.before("database.write", [&] { report = check(true); });
    });
    EXPECT_TRUE(import("other"));
    EXPECT_EQ(steps(report), Words{});
    EXPECT_EQ(busy(report), Words{"template import template other"});
}

TEST_F(HostCheckTest, DoesNotMendWhatWasMendedBeforeItHadTheLock) {
    lose_element();
    int looks = 0;
    std::function<void()> on_look = [&] {
        if (++looks == 2) {
            return_element();
        } else {
            world_.before("runtime.list", on_look);
        }
    };
    world_.before("runtime.list", on_look);
    EXPECT_EQ(steps(check(true)), Words{});
    EXPECT_EQ(looks, 2);
}

TEST_F(HostCheckTest, KeepsOperationsFromWhatItMends) {
    lose_element();
    Status refused;
    world_.before("firewall.admit", [&] {
        refused = rig_.outcome(rig_.containers().stop(Caller{}, "web1", {.force = true}));
    });
    EXPECT_EQ(steps(check(true)), Words{"admit_card mended"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::busy);
    EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("repair"));
    stop(); // free again
}

TEST_F(HostCheckTest, RefusesASecondRepair) {
    lose_element();
    Status refused;
    world_.before("firewall.admit", [&] {
        const auto second = rig_.check().run(true);
        refused = second ? Status{} : std::unexpected<Error>(second.error());
    });
    EXPECT_EQ(steps(check(true)), Words{"admit_card mended"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::busy);
}

TEST_F(HostCheckTest, SaysWhatItCouldNotMendAndLeavesNoLockBehind) {
    lose_element();
    world_.before("firewall.admit", [this] { world_.arm(Fault::fails, 1); });
    const CheckReport report = check(true);
    world_.disarm();
    EXPECT_EQ(steps(report), Words{"admit_card unmended"});
    ASSERT_TRUE(report.findings.at(0).outcome.error);
    EXPECT_EQ(steps(check(true)), Words{"admit_card mended"});
    stop();
}

// The step succeeds without its effect.
TEST_F(HostCheckTest, BelievesNoStepBeforeItHasLookedAgain) {
    lose_element();
    int looks = 0;
    std::function<void()> on_look = [&] {
        if (++looks == 3) {
            lose_element();
        } else {
            world_.before("runtime.list", on_look);
        }
    };
    world_.before("runtime.list", on_look);
    EXPECT_EQ(steps(check(true)), Words{"admit_card unmended"});
    EXPECT_EQ(looks, 3);
}

} // namespace

} // namespace lodge::test
