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

TEST(StaysIn, TheUnitThatAManagerStartedUsInWhileContainersLiveElsewhere) {
    EXPECT_TRUE(stays_in("/system.slice/lodged.service", "/lodge", delegated));
    EXPECT_FALSE(stays_in("/user.slice/session-1.scope", "/lodge", delegated));
    EXPECT_FALSE(stays_in("/", "/lodge", delegated));
    const auto everything = [](const std::string&) { return true; };
    EXPECT_FALSE(stays_in("/lodge", "/lodge", everything));
    EXPECT_FALSE(stays_in("/lodge/daemon", "/lodge", everything));
    EXPECT_FALSE(stays_in(
        "/system.slice/lodged.service/daemon", "/system.slice/lodged.service", everything));
}

TEST(Support, SaysWhyAControllerIsMissing) {
    Support support;
    support.missing.emplace_back("memory", "bound elsewhere");
    EXPECT_EQ(support.why_not("memory"), "bound elsewhere");
    EXPECT_EQ(support.why_not("cpu"), "");
}

} // namespace
} // namespace lodge::cgroup
