// Entries of the log of operations that this release does not write.
#include "tests/fault/rig.hpp"
#include "tests/fault/things.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include <fcntl.h>

namespace lodge::test {
namespace {

using daemon::Caller;
using testing::HasSubstr;
using Id = daemon::StepId;

struct Foreign {
    const char* name;
    const char* verb;
    const char* more; ///< behind the UUID in the arguments
    std::vector<Id> steps;
};
void PrintTo(const Foreign& foreign, std::ostream* stream) {
    *stream << foreign.name;
}

class UnknownOperation : public ::testing::TestWithParam<Foreign> {
  protected:
    void SetUp() override {
        rig_.emplace(world_);
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_TRUE(rig_->outcome(
            rig_->templates().import(Caller{}, "base", {.bytes = std::move(archive)})));
        daemon::CreateRequest request;
        request.spec.name = "web1";
        request.spec.template_name = "base";
        request.start = true;
        ASSERT_TRUE(rig_->outcome(rig_->containers().create(Caller{}, std::move(request))));
        ASSERT_TRUE(rig_->settle("web1"));
    }
    // Ends the daemon, writes into the log, and starts the next daemon.
    void restart_with(const Foreign& foreign) {
        const Uuid uuid = rig_->views().info(daemon::Caller{}, "web1").value().container.uuid;
        rig_.reset();
        leave_in_log(world_,
                     {.id = Uuid::generate().value(),
                      .verb = foreign.verb,
                      .resource = "web1",
                      .arguments = uuid.to_string() + foreign.more,
                      .intended = foreign.steps,
                      .boot_id = "boot"});
        rig_.emplace(world_);
    }

    TempDir directory_;
    World world_{directory_.path()};
    std::optional<Rig> rig_;
};

TEST_P(UnknownOperation, IsToldAndLeftAndItsContainerRunsOn) {
    const auto before = rig_->ledger();
    for (int start = 0; start < 2; ++start) { // the next one finds it again
        restart_with(GetParam());
        EXPECT_EQ(rig_->ledger(), before);
        EXPECT_EQ(rig_->unfinished(), 1U);
        const auto& outcomes = rig_->recovered().outcomes;
        const auto told = std::find_if(outcomes.begin(), outcomes.end(), [](const auto& outcome) {
            return outcome.step.act == daemon::RecoveryStep::Act::report;
        });
        ASSERT_NE(told, outcomes.end());
        EXPECT_EQ(told->step.subject, "web1");
        EXPECT_THAT(told->step.why, HasSubstr(GetParam().verb));
        EXPECT_THAT(told->step.why, HasSubstr("left in the log"));
    }
    EXPECT_TRUE(rig_->outcome(rig_->containers().stop(Caller{}, "web1", {.force = true})));
}

const std::vector<Foreign> kForeign{
    {"Verb", "teleport", "", {Id{"halt", ""}}},
    {"VerbThatHalts", "teleport", " 60000", {}},
    {"Arguments", "stop", " soon", {Id{"halt", ""}}},
    {"ArgumentsOfAnotherVerb", "destroy", " 60000", {}},
    {"FirstStep", "destroy", "", {Id{"unlock", ""}}},
    {"LaterStep", "stop", "", {Id{"halt", ""}, Id{"unlock", ""}, Id{"kill", ""}}},
    {"StepOfASet", "set", "", {Id{"limits", ""}, Id{"quota", ""}}},
    {"StepOfAStart", "start", "", {Id{"group", ""}, Id{"spawn", ""}, Id{"map ids", ""}}},
    {"ObjectOfAStep", "stop", "", {Id{"halt", ""}, Id{"detach", "eth1"}}}};

INSTANTIATE_TEST_SUITE_P(OfAnotherRelease,
                         UnknownOperation,
                         ::testing::ValuesIn(kForeign),
                         [](const auto& one) { return std::string(one.param.name); });

} // namespace
} // namespace lodge::test
