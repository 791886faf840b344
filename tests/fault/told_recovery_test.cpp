// Recovery announces the true end of an operation that a dead daemon left: completed or undone.
#include "tests/fault/rig.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <fcntl.h>

namespace lodge::test {

namespace {

using daemon::Caller;
using daemon::StepId;

struct Left {
    const char* name;
    const char* verb;
    const char* of; ///< "base" is a template, "web1" a container; there is no other
    std::vector<StepId> steps;
    const char* told;
};
void PrintTo(const Left& left, std::ostream* stream) {
    *stream << left.name;
}

class ToldRecovery : public ::testing::TestWithParam<Left> {
  protected:
    void SetUp() override {
        rig_.emplace(world_);
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_TRUE(rig_->outcome(
            rig_->templates().import(Caller{}, "base", {.bytes = std::move(archive)})));
        daemon::CreateRequest request;
        request.spec.name = "web1";
        request.spec.template_name = "base";
        ASSERT_TRUE(rig_->outcome(rig_->containers().create(Caller{}, std::move(request))));
        ASSERT_TRUE(rig_->settle("web1"));
        uuid_ = rig_->views().info(daemon::Caller{}, "web1").value().container.uuid;
    }
    // A daemon dies with this in its log. Returns the event of the next daemon about it.
    std::string told_of(const Left& left) {
        const bool of_template = std::string(left.verb).starts_with("template ");
        const std::string resource = (of_template ? "template " : "") + std::string(left.of);
        rig_.reset();
        leave_in_log(world_,
                     {.id = Uuid::generate().value(),
                      .verb = left.verb,
                      .resource = resource,
                      .arguments = of_template ? left.of : uuid_.to_string(),
                      .intended = left.steps,
                      .boot_id = "boot"});
        rig_.emplace(world_);
        const auto news = rig_->events().subscribe(daemon::kKeptEvents);
        while (const auto event = news->next(Deadline::after(Deadline::Clock::duration::zero()))) {
            if (event->kind == "daemon" && event->resource == resource) {
                return event->what;
            }
        }
        return "";
    }

    TempDir directory_;
    World world_{directory_.path()};
    std::optional<Rig> rig_;
    Uuid uuid_;
};

TEST_P(ToldRecovery, SaysWhatCameOfAnOperation) {
    EXPECT_EQ(told_of(GetParam()), GetParam().told);
    EXPECT_EQ(rig_->unfinished(), 0U);
    EXPECT_TRUE(rig_->templates().info(daemon::Caller{}, "base"));
    EXPECT_TRUE(rig_->views().info(daemon::Caller{}, "web1"));
}

const StepId kMake{"make", ""};
const StepId kPublish{"publish", ""};
const StepId kForget{"forget", ""};

const std::vector<Left> kLeft{
    {"ImportThatPublished", "template import", "base", {kMake, kPublish}, "completed"},
    {"ImportThatDidNotPublish", "template import", "other", {kMake, kPublish}, "undone"},
    {"BuildThatMade", "template build", "other", {kMake}, "undone"},
    {"RemovalThatForgot", "template remove", "other", {kForget}, "completed"},
    {"RemovalThatDidNot", "template remove", "base", {kForget}, "undone"},
    {"CreateThatPublished",
     "create",
     "web1",
     {StepId{"reserve", ""},
      StepId{"directory", ""},
      StepId{"volume", "root"},
      StepId{"seed", ""},
      StepId{"close", ""},
      StepId{"write record", ""},
      kPublish},
     "completed"}};

INSTANTIATE_TEST_SUITE_P(OfADeadDaemon,
                         ToldRecovery,
                         ::testing::ValuesIn(kLeft),
                         [](const auto& one) { return std::string(one.param.name); });

} // namespace

} // namespace lodge::test
