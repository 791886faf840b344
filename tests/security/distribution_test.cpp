#include "tests/support/guest_container.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/session_client.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

/// What a distribution's programs expect of the machine they run on.
namespace lodge::daemon {
namespace {

class DistributionTest : public test::LeakChecked {
  protected:
    void SetUp() override {
        REQUIRES("root");
        REQUIRES("cgroup2");
        LeakChecked::SetUp();
        guest_ = std::make_unique<test::GuestContainer>();
        ASSERT_TRUE(guest_->prepare());
        ASSERT_TRUE(guest_->start());
    }
    void TearDown() override {
        if (guest_) {
            guest_.reset();
            LeakChecked::TearDown();
        }
    }
    test::SessionResult run(std::vector<std::string> arguments) {
        auto result = test::run_guest(guest_->monitor(), std::move(arguments));
        EXPECT_TRUE(result) << result.error().to_string();
        return result ? *result : test::SessionResult{};
    }
    std::unique_ptr<test::GuestContainer> guest_;
};

// A log daemon reads the end of an empty one for ever.
TEST_F(DistributionTest, TheKernelsLogIsRefusedAsTheKernelRefusesIt) {
    const test::SessionResult result = run({"cat", "/proc/kmsg"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.output, "");
    EXPECT_EQ(result.error_output, "guest: /proc/kmsg: Permission denied\n");
}

// An empty file in the place of another is what its readers make of it: each was looked at.
TEST_F(DistributionTest, OnlyListsAreCoveredByAnEmptyFile) {
    const std::set<std::string> kLists{"keys", "key-users", "latency_stats"};
    std::istringstream names(run({"list", "/proc"}).output);
    std::set<std::string> covered;
    for (std::string name; std::getline(names, name);) {
        const bool process = name.find_first_not_of("0123456789") == std::string::npos;
        const std::string status = process ? "" : run({"stat", "/proc/" + name}).output;
        if (status.find(" 20666") != std::string::npos) { // S_IFCHR: /dev/null
            covered.insert(name);
        }
    }
    EXPECT_TRUE(covered.contains("key-users") || covered.contains("keys"));
    for (const std::string& name : covered) {
        EXPECT_TRUE(kLists.contains(name)) << name;
    }
}

// Distributions ask for all there are, up to 2147483647, which the kernel refuses here.
TEST_F(DistributionTest, EveryGroupMayPing) {
    EXPECT_EQ(run({"cat", "/proc/sys/net/ipv4/ping_group_range"}).output, "0\t65535\n");
}

// It obeys the first file, by name, that matches the link.
TEST_F(DistributionTest, NetworkdIsToldToLeaveTheCardAlone) {
    std::istringstream names(run({"list", "/run/systemd/network"}).output);
    std::string first;
    for (std::string name; std::getline(names, name);) {
        if (name.find(".network") != std::string::npos) {
            first = name;
        }
    }
    EXPECT_LT(first, "-0") << "before any name that a tree has";
    const std::string text = run({"cat", "/run/systemd/network/" + first}).output;
    for (const char* line :
         {"\n[Match]\nName=eth0\n", "\nDHCP=no\n", "\nKeepConfiguration=yes\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << text;
    }
}

} // namespace
} // namespace lodge::daemon
