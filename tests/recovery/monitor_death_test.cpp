// A monitor that dies ends its container. A stopped monitor is woken. No container runs unwatched,
// and no object is left.
#include "lib/kernel/fs.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"

#include <chrono>
#include <csignal>
#include <sstream>

#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

// A field of /proc/PID/stat behind the name: 0 the state, 1 the parent (man 5 proc). Empty: there
// is no such process.
std::string stat_field(pid_t pid, int number) {
    const auto stat = kernel::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    std::istringstream fields(stat ? stat->substr(stat->rfind(')') + 1) : "");
    std::string field;
    for (int i = 0; i <= number; ++i) {
        fields >> field;
    }
    return field;
}
std::string state_of(pid_t pid) {
    return stat_field(pid, 0);
}

bool is_alive(pid_t pid) {
    const std::string state = state_of(pid);
    return !state.empty() && state != "Z";
}

class MonitorDeathTest : public RunningContainerTest {
  protected:
    void SetUp() override {
        RunningContainerTest::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        init_ = std::stoi(host->field("web1", "pid"));
        monitor_ = std::stoi(stat_field(init_, 1));
        ASSERT_GT(monitor_, 1);
    }
    // The process stops some time after SIGSTOP was sent, so this waits.
    void stop_monitor() const {
        ASSERT_EQ(::kill(monitor_, SIGSTOP), 0);
        const Deadline deadline = Deadline::after(patience(10s));
        while (state_of(monitor_) != "T") {
            ASSERT_FALSE(deadline.expired());
            (void)::poll(nullptr, 0, 5);
        }
    }
    void expect_reported_as_killed() {
        expect_field("web1", "state", "stopped");
        EXPECT_EQ(host->field("web1", "last_exit"), "the monitor was killed");
        EXPECT_FALSE(is_alive(init_)) << "it runs unwatched";
        EXPECT_NE(host->daemon_log().find("container 'web1' crashed"), std::string::npos)
            << host->daemon_log();
        EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
    }
    void expect_goes_on() {
        EXPECT_EQ(host->field("web1", "state"), "running");
        EXPECT_EQ(host->field("web1", "pid"), std::to_string(init_));
        EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "exit", "5"}).code, 5)
            << host->daemon_log();
    }

    pid_t init_ = 0;
    pid_t monitor_ = 0;
};

TEST_F(MonitorDeathTest, IsReportedWhileTheDaemonRuns) {
    ASSERT_EQ(::kill(monitor_, SIGKILL), 0);
    expect_reported_as_killed();
}

TEST_F(MonitorDeathTest, IsReportedByTheNextDaemon) {
    host->kill_daemon();
    ASSERT_EQ(::kill(monitor_, SIGKILL), 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "state"), "stopped") << "before the first answer";
    expect_reported_as_killed();
}

TEST_F(MonitorDeathTest, OneThatIsStoppedIsWokenByWhoNeedsIt) {
    ASSERT_NO_FATAL_FAILURE(stop_monitor());
    EXPECT_EQ(host->lodge({"list"}).code, 0);
    EXPECT_EQ(state_of(monitor_), "T") << "a list needs no monitor";
    expect_goes_on();
}

TEST_F(MonitorDeathTest, OneThatIsStoppedIsTakenUp) {
    host->stop_daemon();
    ASSERT_NO_FATAL_FAILURE(stop_monitor());
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_NE(state_of(monitor_), "T");
    expect_goes_on();
}

// As a debugger holds it: SIGCONT does not reach it, only SIGKILL does.
TEST_F(MonitorDeathTest, OneThatHangsIsKilledByTheNextDaemonWithinItsDeadline) {
    host->stop_daemon();
    ASSERT_EQ(::ptrace(PTRACE_SEIZE, monitor_, nullptr, nullptr), 0);
    ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, monitor_, nullptr, nullptr), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(monitor_, &status, __WALL), monitor_);
    const Deadline deadline = Deadline::after(patience(25s));
    host->spawn_daemon();
    // Its tracer must reap it before it is gone.
    pid_t ended = 0;
    while ((ended = ::waitpid(monitor_, &status, __WALL | WNOHANG)) == 0 && !deadline.expired()) {
        (void)::poll(nullptr, 0, 20);
    }
    EXPECT_EQ(ended, monitor_) << "it was not killed in time";
    ASSERT_NO_FATAL_FAILURE(host->await_daemon());
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    expect_reported_as_killed();
}

// A dead child cannot be reaped before its tracer has seen its death; nothing waits for that.
TEST_F(MonitorDeathTest, OneThatADebuggerKeepsHoldsUpNobody) {
    ASSERT_EQ(::ptrace(PTRACE_SEIZE, monitor_, nullptr, nullptr), 0);
    ASSERT_EQ(::kill(monitor_, SIGKILL), 0);
    expect_reported_as_killed();
    EXPECT_EQ(state_of(monitor_), "Z");
    int status = 0;
    EXPECT_EQ(::waitpid(monitor_, &status, __WALL), monitor_);
}

} // namespace

} // namespace lodge::test
