#include "lib/cgroup/groups.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/program.hpp"
#include "tests/kernel/group_lab.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::cgroup {
namespace {

constexpr std::uint32_t kOwner = 1'000'000;

class Cgroup : public test::GroupLab {
  protected:
    UniqueFd make(const std::string& name, const Limits& limits = {}) {
        auto group = groups_->create(name, limits, kOwner);
        EXPECT_TRUE(group.has_value()) << group.error().to_string();
        return group ? std::move(*group) : UniqueFd();
    }

    std::string content(const std::string& file) const {
        auto text = kernel::read_file(place_ + "/" + file, 65536);
        return text ? std::move(*text) : text.error().to_string();
    }

    std::string came_from_file() const {
        return place_.substr(0, place_.size() - base_.size()) + came_from_ + "/cgroup.procs";
    }

    bool exists(const std::string& name) const {
        return ::access((place_ + "/" + name).c_str(), F_OK) == 0;
    }

    // What `script` says when it runs inside a group. An independent witness: the shell.
    std::string run_inside(const std::string& name, const std::string& script) const {
        const auto output =
            kernel::run_program({.path = "/bin/sh",
                                 .arguments = {"-c",
                                               "echo 0 > " + place_ + "/" + name +
                                                   "/cgroup.procs || exit 9; " + script},
                                 .deadline = soon(),
                                 .judged = true});
        return output ? output->standard_output + output->standard_error
                      : output.error().to_string();
    }
};

TEST_F(Cgroup, MovesTheDaemonIntoALeafOfItsOwn) {
    EXPECT_EQ(test::own_group_path(), base_ + "/daemon");
    EXPECT_TRUE(groups_->list().value().empty());
}

TEST_F(Cgroup, HandsExactlyTheDelegationFilesToTheOwner) {
    (void)make("ct");
    for (const char* file :
         {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control", "/cgroup.kill"}) {
        struct stat info{};
        ASSERT_EQ(::stat((place_ + "/ct" + file).c_str(), &info), 0) << file;
        EXPECT_EQ(info.st_uid, std::string(file) == "/cgroup.kill" ? 0U : kOwner) << file;
    }
    EXPECT_EQ(groups_->list().value(), std::vector<std::string>{"ct"});
}

TEST_F(Cgroup, BoundsTheGroupsThatATenantMakes) {
    (void)make("ct");
    const auto refused = [](const std::string& path) {
        return ::mkdir(path.c_str(), 0755) != 0 && errno == EAGAIN;
    };
    std::string path = place_ + "/ct";
    for (unsigned depth = 0; depth < kDeepestGroup; ++depth) {
        path += "/d";
        ASSERT_TRUE(kernel::make_directory(path, 0755));
    }
    EXPECT_TRUE(refused(path + "/d"));
    for (unsigned count = kDeepestGroup; count < kMostGroups; ++count) {
        ASSERT_TRUE(kernel::make_directory(place_ + "/ct/" + std::to_string(count), 0755));
    }
    EXPECT_TRUE(refused(place_ + "/ct/more"));
    EXPECT_TRUE(groups_->remove("ct").has_value());
    EXPECT_FALSE(exists("ct"));
}

TEST_F(Cgroup, KillsWhatRunsBelowAndTellsWhenItIsEmpty) {
    const UniqueFd group = make("ct");
    ASSERT_TRUE(kernel::make_directory(place_ + "/ct/inner", 0755));
    const auto inner = kernel::open_directory(place_ + "/ct/inner");
    test::Resident above(group.get());
    test::Resident below(inner->get());
    const auto early = groups_->wait_empty("ct", Deadline::after(std::chrono::milliseconds(1)));
    EXPECT_EQ(early.error().code(), ErrorCode::timeout);
    EXPECT_EQ(groups_->remove("ct").error().code(), ErrorCode::busy);
    ASSERT_TRUE(groups_->kill("ct").has_value());
    EXPECT_TRUE(groups_->wait_empty("ct", soon()).has_value());
    EXPECT_EQ(above.reap(), SIGKILL);
    EXPECT_EQ(below.reap(), SIGKILL);
    EXPECT_TRUE(groups_->remove("ct").has_value());
    EXPECT_FALSE(exists("ct"));
}

// Held against what the shell reads; the processor's time is counted without its controller too.
TEST_F(Cgroup, TellsWhatAGroupUses) {
    const UniqueFd group = make("ct");
    const test::Resident resident(group.get());
    const Use use = groups_->use("ct");
    ASSERT_TRUE(use.cpu_microseconds);
    const std::string stat = content("ct/cpu.stat");
    EXPECT_GE(std::stoull(stat.substr(stat.find(' ') + 1)), *use.cpu_microseconds);
    EXPECT_EQ(use.memory_bytes.has_value(), exists("ct/memory.current"));
    EXPECT_EQ(use.processes.has_value(), exists("ct/pids.current"));
    EXPECT_EQ(use.processes.value_or(1), 1U);
    EXPECT_GT(use.memory_bytes.value_or(1), 0U);
}

TEST_F(Cgroup, FreezesAndThaws) {
    const UniqueFd group = make("ct");
    const test::Resident resident(group.get());
    EXPECT_FALSE(groups_->is_frozen("ct").value());
    for (const bool frozen : {true, false}) {
        ASSERT_TRUE(groups_->freeze("ct", frozen).has_value());
        EXPECT_EQ(groups_->is_frozen("ct").value(), frozen);
        EXPECT_TRUE(groups_->wait_frozen("ct", frozen, soon()).has_value());
        EXPECT_NE(content("ct/cgroup.events").find(frozen ? "frozen 1" : "frozen 0"),
                  std::string::npos);
        const auto other =
            groups_->wait_frozen("ct", !frozen, Deadline::after(std::chrono::milliseconds(1)));
        EXPECT_EQ(other.error().code(), ErrorCode::timeout);
    }
}

TEST_F(Cgroup, KillsWhatIsFrozen) {
    const UniqueFd group = make("ct");
    ASSERT_TRUE(kernel::make_directory(place_ + "/ct/inner", 0755));
    const auto inner = kernel::open_directory(place_ + "/ct/inner");
    test::Resident by_group(group.get());
    test::Resident by_signal(inner->get());
    ASSERT_TRUE(groups_->freeze("ct", true).has_value());
    ASSERT_TRUE(groups_->wait_frozen("ct", true, soon()).has_value());
    ASSERT_EQ(::kill(by_signal.pid(), SIGKILL), 0);
    EXPECT_EQ(by_signal.reap(), SIGKILL);
    ASSERT_TRUE(groups_->kill("ct").has_value());
    EXPECT_TRUE(groups_->wait_empty("ct", soon()).has_value());
    EXPECT_EQ(by_group.reap(), SIGKILL);
    EXPECT_TRUE(groups_->is_frozen("ct").value());
    EXPECT_TRUE(groups_->remove("ct").has_value());
}

TEST_F(Cgroup, MissingGroupsNeedNoUndo) {
    EXPECT_TRUE(groups_->kill("nothing").has_value());
    EXPECT_TRUE(groups_->freeze("nothing", false).has_value());
    EXPECT_TRUE(groups_->wait_frozen("nothing", true, soon()).has_value());
    EXPECT_FALSE(groups_->is_frozen("nothing").value());
    EXPECT_TRUE(groups_->set_limits("nothing", {}).has_value());
    EXPECT_FALSE(groups_->use("nothing").cpu_microseconds);
    EXPECT_TRUE(groups_->processes("nothing").value().empty());
    EXPECT_TRUE(groups_->wait_empty("nothing", soon()).has_value());
    EXPECT_FALSE(groups_->out_of_memory("nothing").value());
    EXPECT_TRUE(groups_->remove("nothing").has_value());
}

TEST_F(Cgroup, TakesTheTreeOfAnEarlierLifeAway) {
    (void)make("ct");
    ASSERT_TRUE(kernel::make_directories(place_ + "/ct/init.scope/a/b", 0755));
    (void)make("ct");
    EXPECT_FALSE(exists("ct/init.scope"));
}

TEST_F(Cgroup, DoesNotReplaceAGroupThatLives) {
    const UniqueFd group = make("ct");
    const test::Resident resident(group.get());
    EXPECT_EQ(groups_->create("ct", {}, kOwner).error().code(), ErrorCode::busy);
    EXPECT_TRUE(exists("ct"));
}

TEST_F(Cgroup, LetsOnlySafeDevicesBeUsed) {
    (void)make("ct");
    if (const std::string why = groups_->support().why_not("devices"); !why.empty()) {
        EXPECT_FALSE(test::everything_is_required()) << why;
        GTEST_SKIP() << why;
    }
    EXPECT_EQ(run_inside("ct", "head -c 3 /dev/zero | wc -c; echo x > /dev/null; : > /dev/full"),
              "3\n");
    EXPECT_EQ(run_inside("ct", "head -c 1 /dev/urandom | wc -c"), "1\n");
    // Of the machine's own: the kernel log, and a loop device's control where there is one.
    EXPECT_NE(run_inside("ct", "exec 3< /dev/kmsg && echo opened").find("not permitted"),
              std::string::npos);
    if (::access("/dev/loop-control", F_OK) == 0) {
        EXPECT_NE(
            run_inside("ct", "exec 3< /dev/loop-control && echo opened").find("not permitted"),
            std::string::npos);
    }
    const std::string node = "/var/tmp/lodge-node-" + std::to_string(::getpid());
    EXPECT_NE(run_inside("ct", "mknod " + node + " c 1 3").find("not permitted"),
              std::string::npos);
    EXPECT_NE(run_inside("ct", "mknod " + node + " b 7 0").find("not permitted"),
              std::string::npos);
    EXPECT_NE(::access(node.c_str(), F_OK), 0);
}

// Either the kernel holds the limit or the caller is told why not: never a silent no-op.
TEST_F(Cgroup, HoldsEachLimitOrRefusesItWithTheReason) {
    const std::vector<std::pair<std::string, Limits>> asked{
        {"memory", {.memory_bytes = std::uint64_t{64} << 20}},
        {"cpu", {.cpu_millis = 1500}},
        {"pids", {.pids = 40}}};
    for (const auto& [controller, limits] : asked) {
        const auto& offered = groups_->support().controllers;
        const bool has = std::find(offered.begin(), offered.end(), controller) != offered.end();
        const std::string why = groups_->support().why_not(controller);
        EXPECT_NE(has, !why.empty()) << controller;
        const auto group = groups_->create(controller, limits, kOwner);
        EXPECT_EQ(group.has_value(), has) << controller;
        if (!group) {
            EXPECT_EQ(group.error().code(), ErrorCode::unsupported);
            EXPECT_NE(group.error().message().find(controller), std::string::npos);
            EXPECT_FALSE(exists(controller)); // nothing half-made stays
        }
    }
}

TEST_F(Cgroup, NamesTheV1HierarchyThatHoldsAController) {
    const std::vector<kernel::MountInfo> mounts = kernel::read_mountinfo().value();
    for (const kernel::MountInfo& mount : mounts) {
        if (mount.type == "cgroup" && mount.super_options.ends_with("memory")) {
            EXPECT_NE(groups_->support().why_not("memory").find(mount.mount_point),
                      std::string::npos);
        }
    }
}

TEST_F(Cgroup, WritesTheLimitsThatTheKernelThenShows) {
    REQUIRES("cgroup2:memory");
    REQUIRES("cgroup2:cpu");
    REQUIRES("cgroup2:pids");
    (void)make("ct", {.memory_bytes = std::uint64_t{64} << 20, .cpu_millis = 1500, .pids = 40});
    EXPECT_EQ(content("ct/memory.max"), "67108864\n");
    EXPECT_EQ(content("ct/memory.swap.max"), "0\n");
    EXPECT_EQ(content("ct/cpu.max"), "150000 100000\n");
    EXPECT_EQ(content("ct/pids.max"), "40\n");
    ASSERT_TRUE(groups_->set_limits("ct", {.pids = 50}).has_value());
    EXPECT_EQ(content("ct/memory.max"), "max\n");
    EXPECT_EQ(content("ct/memory.swap.max"), "max\n");
    EXPECT_EQ(content("ct/cpu.max"), "max 100000\n");
    EXPECT_EQ(content("ct/pids.max"), "50\n");
    // The tenant's root may not raise them.
    struct stat info{};
    ASSERT_EQ(::stat((place_ + "/ct/memory.max").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 0U);
}

TEST_F(Cgroup, StopsAForkBombAtItsLimit) {
    REQUIRES("cgroup2:pids");
    (void)make("ct", {.pids = 16});
    (void)run_inside("ct", "for i in $(seq 40); do sleep 100 & done 2>/dev/null; wait");
    EXPECT_EQ(content("ct/pids.events").rfind("max 0", 0), std::string::npos)
        << content("ct/pids.events");
}

TEST_F(Cgroup, EndsWhatTakesMoreMemoryThanSold) {
    REQUIRES("cgroup2:memory");
    (void)make("ct", {.memory_bytes = std::uint64_t{24} << 20});
    EXPECT_FALSE(groups_->out_of_memory("ct").value());
    (void)run_inside("ct", "head -c 200M /dev/zero | tail -c 150M | wc -c");
    EXPECT_EQ(content("ct/memory.events").find("oom_kill 0\n"), std::string::npos)
        << content("ct/memory.events");
    EXPECT_TRUE(groups_->out_of_memory("ct").value());
}

TEST_F(Cgroup, LetsNobodyElseSweepItsBase) {
    const auto second = make_group_manager(base_);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code(), ErrorCode::busy);
    groups_.reset();
    EXPECT_TRUE((groups_ = std::move(*make_group_manager(base_))) != nullptr);
}

// An uninstallation: nothing of it is removed while somebody is in it.
TEST_F(Cgroup, IsRemovedWithAllGroupsOnceNobodyIsInIt) {
    EXPECT_EQ(remove_base(base_).error().code(), ErrorCode::busy) << "a manager has it";
    const UniqueFd group = make("ct");
    groups_.reset();
    ASSERT_TRUE(kernel::write_control(AT_FDCWD, came_from_file(), "0"));
    {
        const test::Resident resident(group.get());
        const auto refused = remove_base(base_);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code(), ErrorCode::busy);
        EXPECT_NE(refused.error().message().find(std::to_string(resident.pid())),
                  std::string::npos);
        EXPECT_TRUE(exists("ct") && exists("daemon"));
    }
    EXPECT_EQ(remove_base(base_).value(), base_);
    EXPECT_FALSE(exists(""));
    EXPECT_EQ(remove_base(base_).value(), "") << "again";
    groups_ = std::move(*make_group_manager(base_));
}

TEST(GroupManager, RefusesABaseThatLeavesTheHierarchy) {
    REQUIRES("root");
    REQUIRES("cgroup2");
    EXPECT_EQ(make_group_manager("lodge").error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(make_group_manager("/../lodge").error().code(), ErrorCode::invalid_argument);
}

} // namespace
} // namespace lodge::cgroup
