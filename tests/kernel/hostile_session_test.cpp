#include "daemon/runtime/monitor_client.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/session_client.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

/// What a tenant does to the monitor beside him, or whoever crowds it.
namespace lodge::daemon {
namespace {

using namespace std::chrono_literals;
using test::GuestContainer;
using test::run_guest;

class HostileSession : public test::LeakChecked {
  protected:
    void SetUp() override {
        REQUIRES("root");
        REQUIRES("cgroup2");
        LeakChecked::SetUp();
        guest_ = std::make_unique<GuestContainer>();
        ASSERT_TRUE(guest_->prepare());
        ASSERT_TRUE(guest_->start());
        ASSERT_TRUE(guest_->await_up());
    }
    void TearDown() override {
        output_.reset();
        if (guest_) {
            guest_.reset();
            LeakChecked::TearDown();
        }
    }
    /// A session whose output is a pipe; what it is given before is its stdio.
    Result<test::OpenSession> open(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "/bin/guest");
        ExecRequest request;
        request.argv = std::move(arguments);
        ASSIGN_OR_RETURN(auto session, test::OpenSession::open(guest_->monitor(), request));
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            return fail_errno("pipe2");
        }
        output_.reset(ends[0]);
        const UniqueFd writer(ends[1]);
        RETURN_IF_ERROR(session.send(
            session::FrameType::stdio, {}, std::array{writer.get(), writer.get(), writer.get()}));
        return session;
    }
    static Status signal(test::OpenSession& session, int number) {
        const session::SignalPayload payload{.number = number};
        return session.send(session::FrameType::signal,
                            {reinterpret_cast<const char*>(&payload), sizeof payload});
    }
    /// The code of the `exited` frame that comes next; -1: another came, or none.
    static int exit_code(test::OpenSession& session) {
        const auto frame = session.expect(session::FrameType::exited);
        EXPECT_TRUE(frame) << frame.error().to_string();
        return frame ? static_cast<unsigned char>(frame->payload[0]) : -1;
    }
    /// The group that sessions live in, frozen by its owner, who may.
    void freeze_sessions(bool frozen) {
        ASSERT_TRUE(run_guest(guest_->monitor(), {"true"})) << "the first one makes the group";
        const auto group = kernel::open_directory(guest_->group_path() + "/.lodge");
        ASSERT_TRUE(group) << group.error().to_string();
        ASSERT_TRUE(kernel::write_control(group->get(), "cgroup.freeze", frozen ? "1" : "0"));
    }
    [[nodiscard]] pid_t monitor_pid() const {
        const auto directory = kernel::open_directory(
            monitor_directory(guest_->run_directory(), guest_->request.uuid));
        return connect_monitor(directory.value().get(), false).value().pid;
    }
    /// Nanoseconds that the monitor has run for (proc_pid_schedstat: the first number).
    [[nodiscard]] std::uint64_t monitor_time() const {
        std::istringstream text(
            kernel::read_file("/proc/" + std::to_string(monitor_pid()) + "/schedstat", 256)
                .value());
        std::uint64_t time = 0;
        text >> time;
        return time;
    }

    std::unique_ptr<GuestContainer> guest_;
    UniqueFd output_;
};

TEST_F(HostileSession, AStopIsNoEnd) {
    auto session = open({"trace-me", "1", std::to_string(SIGSTOP)});
    ASSERT_TRUE(session) << session.error().to_string();
    ASSERT_TRUE(session->expect(session::FrameType::started));
    ASSERT_TRUE(test::read_until(output_.get(), "asks"));
    // It stays stopped, and nobody traces it, until it is told to go on.
    const Deadline deadline = Deadline::after(test::patience(10s));
    std::string seen;
    while (seen.find("State:\tT (stopped)") == std::string::npos && !deadline.expired()) {
        for (const char* pid : {"2", "3", "4"}) {
            const auto status =
                run_guest(guest_->monitor(), {"cat", std::string("/proc/") + pid + "/status"});
            ASSERT_TRUE(status) << status.error().to_string();
            seen += status->output;
        }
    }
    EXPECT_NE(seen.find("State:\tT (stopped)"), std::string::npos) << seen;
    ASSERT_TRUE(signal(*session, SIGCONT));
    EXPECT_EQ(exit_code(*session), 7) << "its own code";
}

TEST_F(HostileSession, StopsWithoutEndAreEnded) {
    auto few = open({"trace-me", "20", std::to_string(SIGWINCH)});
    ASSERT_TRUE(few);
    ASSERT_TRUE(few->expect(session::FrameType::started));
    EXPECT_EQ(exit_code(*few), 7);
    auto many = open({"trace-me", "1000000000", std::to_string(SIGWINCH)});
    ASSERT_TRUE(many);
    ASSERT_TRUE(many->expect(session::FrameType::started));
    EXPECT_EQ(exit_code(*many), 128 + SIGKILL);
}

TEST_F(HostileSession, ASignalEndsWhatHasNotStarted) {
    ASSERT_NO_FATAL_FAILURE(freeze_sessions(true));
    auto held = open({"true"});
    ASSERT_TRUE(held);
    ASSERT_TRUE(signal(*held, SIGINT));
    EXPECT_EQ(exit_code(*held), 128 + SIGINT);
    ExecRequest request;
    request.argv = {"/bin/guest", "true"};
    auto without_stdio = test::OpenSession::open(guest_->monitor(), request);
    ASSERT_TRUE(without_stdio);
    ASSERT_TRUE(signal(*without_stdio, SIGTERM));
    EXPECT_EQ(exit_code(*without_stdio), 128 + SIGTERM);
    const Deadline deadline = Deadline::after(test::patience(10s));
    while (guest_->monitor().status().value().sessions > 0 && !deadline.expired()) {
        // nobody announces that a killed process was reaped
    }
    EXPECT_EQ(guest_->monitor().status()->sessions, 0U) << "its process is gone too";
    ASSERT_NO_FATAL_FAILURE(freeze_sessions(false));
}

TEST_F(HostileSession, AConsoleFloodCostsTheMonitorLittle) {
    for (const auto& [bytes, block] : {std::pair("8000000", "4096"), {"40000", "1"}}) {
        const std::uint64_t before = monitor_time();
        const auto begin = std::chrono::steady_clock::now();
        const auto flood = run_guest(guest_->monitor(), {"flood", "/dev/console", bytes, block});
        const auto took = std::chrono::steady_clock::now() - begin;
        ASSERT_TRUE(flood) << flood.error().to_string();
        EXPECT_EQ(flood->code, 0) << flood->error_output;
        const std::chrono::nanoseconds spent(monitor_time() - before);
        EXPECT_LT(spent * 20, took + 500ms) << spent.count() << " ns for blocks of " << block;
    }
    EXPECT_EQ(guest_->monitor().console_log()->size(), guest_->request.console_log_bytes);
}

TEST_F(HostileSession, ACrowdedMonitorIsNotTakenForADeadOne) {
    const auto directory =
        kernel::open_directory(monitor_directory(guest_->run_directory(), guest_->request.uuid));
    ASSERT_TRUE(directory);
    std::vector<UniqueFd> crowd;
    for (int i = 0; i < 64; ++i) {
        auto one = kernel::connect_messages(directory->get(), monitor::kSocketName);
        ASSERT_TRUE(one) << one.error().to_string();
        crowd.push_back(std::move(*one));
    }
    const auto refused = connect_monitor(directory->get(), false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::busy) << refused.error().to_string();
    EXPECT_FALSE(is_unwatched(refused.error()));
    const auto process = open_monitor_process(directory->get());
    EXPECT_TRUE(process) << process.error().to_string();
    EXPECT_TRUE(guest_->another_runtime()->connect(guest_->request.uuid))
        << "who wants to be told of its end has a place";
    const auto status = guest_->monitor().status();
    EXPECT_TRUE(status) << "idle ones give way: " << status.error().to_string();
}

} // namespace
} // namespace lodge::daemon
