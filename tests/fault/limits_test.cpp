// The limits that a container gets without a request for them.
#include "daemon/containers/limits.hpp"
#include "tests/fault/rig.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <optional>

#include <fcntl.h>

namespace lodge::test {
namespace {

using daemon::Caller;
using Pids = std::optional<std::uint32_t>;

class Limits : public ::testing::Test {
  protected:
    void SetUp() override {
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_TRUE(
            rig_.outcome(rig_.templates().import(Caller{}, "base", {.bytes = std::move(archive)})));
    }
    Pids created(const std::string& name, Pids asked, bool any_pids) {
        daemon::CreateRequest request;
        request.spec.name = name;
        request.spec.template_name = "base";
        request.spec.resources.pids = asked;
        request.any_pids = any_pids;
        EXPECT_TRUE(rig_.outcome(rig_.containers().create(Caller{}, std::move(request))));
        EXPECT_TRUE(rig_.settle(name));
        return rig_.views().info(daemon::Caller{}, name)->container.spec.resources.pids;
    }

    TempDir directory_;
    World world_{directory_.path()};
    Rig rig_{world_};
};

TEST_F(Limits, OfProcessesHasADefaultThatIsLiftedByName) {
    EXPECT_EQ(created("web1", {}, false), daemon::kDefaultPids);
    EXPECT_EQ(created("web2", 100, false), 100U);
    EXPECT_EQ(created("web3", {}, true), Pids());
    const model::SpecChange change{{"pids", {}}};
    ASSERT_TRUE(rig_.outcome(rig_.containers().set(Caller{}, "web1", change)));
    EXPECT_TRUE(rig_.settle("web1"));
    EXPECT_EQ(rig_.views().info(daemon::Caller{}, "web1")->container.spec.resources.pids, Pids());
}

} // namespace
} // namespace lodge::test
