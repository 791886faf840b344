// A stop ends, whatever the container does.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/temp_dir.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

class StopTest : public LodgeTest {
  protected:
    void make() {
        const CliResult made = host->lodge({"create", "web1", "--template", "tiny", "--start"});
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
        ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    }
    // Runs a command of the guest inside that says `word` and does not end.
    void run_inside(std::vector<std::string> command, const std::string& word) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        const UniqueFd out(ends[0]);
        const UniqueFd in(ends[1]);
        std::vector<std::string> words{"exec", "web1", "--", "/bin/guest"};
        words.insert(words.end(), command.begin(), command.end());
        session_ = std::make_unique<CliProcess>(
            *host, words, CliStreams{.out = in.get(), .err = in.get()});
        const Deadline deadline = Deadline::after(patience(10s));
        std::string said;
        while (said.find(word) == std::string::npos) {
            pollfd wait{.fd = out.get(), .events = POLLIN, .revents = 0};
            ASSERT_GT(::poll(&wait, 1, deadline.poll_timeout()), 0) << said << host->daemon_log();
            std::array<char, 256> buffer{};
            const ssize_t size = ::read(out.get(), buffer.data(), buffer.size());
            ASSERT_GT(size, 0) << said;
            said.append(buffer.data(), static_cast<std::size_t>(size));
        }
    }
    void expect_stops(const std::vector<std::string>& verb, std::chrono::milliseconds within) {
        const auto begin = std::chrono::steady_clock::now();
        const CliResult stopped = host->lodge(verb);
        EXPECT_EQ(stopped.code, 0) << stopped.err << host->daemon_log();
        EXPECT_LT(std::chrono::steady_clock::now() - begin, patience(within));
    }
    void expect_starts_again() {
        EXPECT_EQ(host->field("web1", "state"), "stopped");
        const CliResult started = host->lodge({"start", "web1"});
        ASSERT_EQ(started.code, 0) << started.err << host->daemon_log();
        EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "exit", "3"}).code, 3);
    }
    // The container's group on the host.
    std::string group() {
        const auto text =
            kernel::read_file("/proc/" + host->field("web1", "pid") + "/cgroup", 4096);
        const auto mounts = kernel::read_mountinfo();
        EXPECT_TRUE(text && mounts);
        const std::size_t at = text->find("0::") + 3;
        for (const kernel::MountInfo& mount : *mounts) {
            if (mount.type == "cgroup2") {
                return mount.mount_point + text->substr(at, text->find('\n', at) - at);
            }
        }
        return {};
    }
    // How a session of exec ends whose container was ended.
    void expect_session_killed() { EXPECT_EQ(session_->wait(), 137); }

    void TearDown() override {
        session_.reset();
        LodgeTest::TearDown();
    }

    std::unique_ptr<CliProcess> session_;
};

TEST_F(StopTest, EndsAServerOfFuseThatAnswersNoMore) {
    REQUIRES("fuse");
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_NO_FATAL_FAILURE(run_inside({"hang-in-fuse", "/tmp"}, "hung"));
    expect_stops({"stop", "web1", "--force"}, 5s);
    expect_session_killed();
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
    ASSERT_NO_FATAL_FAILURE(run_inside({"hang-in-fuse", "/tmp"}, "hung"));
    expect_stops({"destroy", "web1", "--force"}, 5s);
}

TEST_F(StopTest, EndsAFrozenContainerWithAHungMount) {
    REQUIRES("fuse");
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_NO_FATAL_FAILURE(run_inside({"hang-in-fuse", "/tmp"}, "hung"));
    (void)host->lodge({"freeze", "web1"}); // not every kernel can hold what waits there
    expect_stops({"stop", "web1", "--force"}, 5s);
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

TEST_F(StopTest, WhatCannotBeHeldIsNotFrozen) {
    REQUIRES("fuse");
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_NO_FATAL_FAILURE(run_inside({"hang-in-fuse", "/tmp"}, "hung"));
    // Killed, its waiter waits on where nothing reaches it.
    const auto pids = kernel::read_file(group() + "/.lodge/cgroup.procs", 65536);
    ASSERT_TRUE(pids);
    std::istringstream words(*pids);
    for (pid_t pid = 0; words >> pid;) {
        EXPECT_EQ(::kill(pid, SIGKILL), 0);
    }
    expect_session_killed();
    const CliResult frozen = host->lodge({"freeze", "web1"});
    EXPECT_EQ(frozen.code, 11);
    EXPECT_NE(frozen.err.find("waits in the kernel"), std::string::npos) << frozen.err;
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "exit", "3"}).code, 3);
    expect_stops({"restart", "web1", "--force"}, 5s);
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "exit", "3"}).code, 3);
}

TEST_F(StopTest, EndsAForkThatWaitsForAStoppedChild) {
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_NO_FATAL_FAILURE(run_inside({"hang-in-vfork"}, "hung"));
    expect_stops({"stop", "web1", "--force"}, 5s);
    expect_session_killed();
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

TEST_F(StopTest, EndsASessionThatRuns) {
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_NO_FATAL_FAILURE(run_inside({"await-signal"}, "ready"));
    expect_stops({"stop", "web1"}, 5s); // init halts, and takes all with it
    EXPECT_EQ(host->field("web1", "last_exit"), "halt");
    expect_session_killed();
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

// What it is told before it can hear is lost.
TEST_F(StopTest, HaltsAnInitThatWasStartedJustNow) {
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/late", ""}).code, 0);
    ASSERT_EQ(host->lodge({"restart", "web1"}).code, 0);
    CliProcess graceful(*host, {"stop", "web1", "--timeout", "1h"}, CliStreams{});
    ASSERT_NO_FATAL_FAILURE(expect_field("web1", "busy_with", "stop"));
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/awake", ""}).code, 0);
    EXPECT_EQ(graceful.wait(), 0);
    EXPECT_EQ(host->field("web1", "last_exit"), "halt");
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

TEST_F(StopTest, AKillEndsTheWaitOfAStopThatIsIgnored) {
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/stubborn", ""}).code, 0);
    CliProcess graceful(*host, {"stop", "web1", "--timeout", "1h"}, CliStreams{});
    const Deadline deadline = Deadline::after(patience(10s));
    while (host->lodge({"console", "web1", "--log"}).out.find("I will not") == std::string::npos) {
        ASSERT_FALSE(deadline.expired()) << host->daemon_log();
    }
    const CliResult second = host->lodge({"stop", "web1", "--force"});
    EXPECT_EQ(second.code, 6);
    EXPECT_NE(second.err.find("stop is on its way"), std::string::npos) << second.err;
    EXPECT_NE(second.err.find("lodge kill web1"), std::string::npos) << second.err;
    ASSERT_EQ(host->lodge({"kill", "web1"}).code, 0);
    EXPECT_EQ(graceful.wait(), 0);
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

TEST_F(StopTest, ManyThatAreIgnoredKeepNobodyWaiting) {
    constexpr int kMany = 17; // one more than the daemon has workers at first
    std::vector<std::string> names;
    std::vector<std::unique_ptr<CliProcess>> stops;
    for (int number = 0; number < kMany; ++number) {
        names.push_back("web" + std::to_string(number));
        const std::string& name = names.back();
        ASSERT_EQ(host->lodge({"create", name, "--template", "tiny", "--start"}).code, 0)
            << host->daemon_log();
        ASSERT_NO_FATAL_FAILURE(await_init(name));
        ASSERT_EQ(host->lodge({"exec", name, "--", "/bin/guest", "write", "/stubborn", ""}).code,
                  0);
        stops.push_back(std::make_unique<CliProcess>(
            *host, std::vector<std::string>{"stop", name, "--timeout", "1h"}, CliStreams{}));
    }
    for (const std::string& name : names) {
        ASSERT_NO_FATAL_FAILURE(expect_field(name, "busy_with", "stop"));
    }
    EXPECT_EQ(host->lodge({"create", "other", "--template", "tiny", "--start"}).code, 0)
        << host->daemon_log();
    for (const std::string& name : names) {
        EXPECT_EQ(host->lodge({"kill", name}).code, 0);
    }
    for (const auto& stop : stops) {
        EXPECT_EQ(stop->wait(), 0);
    }
}

TEST_F(StopTest, WakesAMonitorThatSomebodyStopped) {
    ASSERT_NO_FATAL_FAILURE(make());
    const auto stat = kernel::read_file("/proc/" + host->field("web1", "pid") + "/stat", 4096);
    ASSERT_TRUE(stat);
    std::istringstream fields(stat->substr(stat->rfind(')') + 1));
    std::string state;
    pid_t monitor = 0;
    ASSERT_TRUE(fields >> state >> monitor);
    host->kill_daemon(); // the next one is not its parent
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    ASSERT_EQ(::kill(monitor, SIGSTOP), 0);
    expect_stops({"stop", "web1", "--force"}, 30s);
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

TEST_F(StopTest, AVolumeThatIsHeldFromOutsideIsToldAtTheNextStart) {
    ASSERT_NO_FATAL_FAILURE(make());
    auto held = kernel::open_directory("/proc/" + host->field("web1", "pid") + "/root/etc");
    ASSERT_TRUE(held);
    expect_stops({"stop", "web1", "--force"}, 5s);
    EXPECT_EQ(host->field("web1", "state"), "stopped");
    const CliResult refused = host->lodge({"start", "web1"});
    EXPECT_EQ(refused.code, 6) << refused.err;
    EXPECT_NE(refused.err.find("something outside of the container holds its files"),
              std::string::npos)
        << refused.err;
    held->reset();
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

/// A process in the container's group that hangs in a mount of the host's, which is not the
/// container's to break.
class StrangerTest : public StopTest {
  protected:
    void TearDown() override {
        set_free();
        StopTest::TearDown();
    }
    void place_stranger() {
        ASSERT_TRUE(kernel::make_directory(place_, 0755));
        const std::string procs = group() + "/cgroup.procs";
        const std::string program = LODGE_BIN_DIR "/tests/lodge_guest";
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        const UniqueFd out(ends[0]);
        UniqueFd in(ends[1]);
        pid_ = ::fork();
        if (pid_ == 0) {
            (void)kernel::write_control(AT_FDCWD, procs, "0");
            (void)::dup2(in.get(), STDOUT_FILENO);
            (void)::execl(
                program.c_str(), program.c_str(), "hang-in-fuse", place_.c_str(), nullptr);
            ::_exit(99);
        }
        in.reset();
        pollfd wait{.fd = out.get(), .events = POLLIN, .revents = 0};
        ASSERT_GT(::poll(&wait, 1, Deadline::after(patience(10s)).poll_timeout()), 0);
        char first = 0;
        ASSERT_EQ(::read(out.get(), &first, 1), 1) << "it ended";
    }
    void set_free() {
        if (pid_ < 0) {
            return;
        }
        const auto number =
            kernel::run_program({.path = "findmnt",
                                 .arguments = {"--noheadings", "--output", "MAJ:MIN", place_},
                                 .deadline = Deadline::after(patience(10s))});
        ASSERT_TRUE(number) << number.error().to_string();
        const std::string text = number->standard_output;
        const std::size_t minor = text.find(':') + 1;
        const auto control = kernel::new_mount({.type = "fusectl"});
        ASSERT_TRUE(control);
        EXPECT_TRUE(kernel::write_control(
            control->get(),
            text.substr(minor, text.find_first_of(" \n", minor) - minor) + "/abort",
            "1"));
        EXPECT_EQ(::waitpid(pid_, nullptr, 0), pid_);
        pid_ = -1;
        EXPECT_TRUE(kernel::detach_mount(place_));
    }

  private:
    TempDir directory_;
    std::string place_ = directory_.path() + "/hung";
    pid_t pid_ = -1;
};

TEST_F(StrangerTest, BreaksTheContainerUntilItIsFree) {
    REQUIRES("fuse");
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_NO_FATAL_FAILURE(place_stranger());
    const CliResult stopped = host->lodge({"stop", "web1", "--force"});
    EXPECT_EQ(stopped.code, 11) << stopped.err;
    EXPECT_NE(stopped.err.find("(lodge_guest, in "), std::string::npos) << stopped.err;
    EXPECT_EQ(host->field("web1", "state"), "broken");
    EXPECT_NE(host->field("web1", "broken_why").find("(lodge_guest, in "), std::string::npos);
    set_free();
    // Init has ended, so that the daemon tries on its own too.
    const CliResult again = host->lodge({"stop", "web1", "--force"});
    EXPECT_TRUE(again.code == 0 || again.code == 5 || again.code == 6) << again.err;
    expect_field("web1", "state", "stopped");
    ASSERT_NO_FATAL_FAILURE(expect_starts_again());
}

} // namespace

} // namespace lodge::test
