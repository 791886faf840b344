#include "lib/cgroup/groups.hpp"

#include <gtest/gtest.h>

namespace lodge::cgroup {
namespace {

bool delegated(const std::string& group) {
    return group == "/system.slice/lodged.service";
}

TEST(AutomaticBase, IsADelegatedUnitWhoseManagerPutUsIntoALeaf) {
    EXPECT_EQ(automatic_base("/system.slice/lodged.service/daemon", delegated),
              "/system.slice/lodged.service");
}

TEST(AutomaticBase, IsNeverTheGroupThatAManagerStartsUsIn) {
    EXPECT_EQ(automatic_base("/system.slice/lodged.service", delegated), "/lodge");
    EXPECT_EQ(automatic_base("/", delegated), "/lodge");
    EXPECT_EQ(automatic_base("/daemon", [](const std::string&) { return true; }), "/lodge");
    EXPECT_EQ(automatic_base("/user.slice/daemon", delegated), "/lodge");
}

TEST(Support, SaysWhyAControllerIsMissing) {
    Support support;
    support.missing.emplace_back("memory", "bound elsewhere");
    EXPECT_EQ(support.why_not("memory"), "bound elsewhere");
    EXPECT_EQ(support.why_not("cpu"), "");
}

} // namespace
} // namespace lodge::cgroup
