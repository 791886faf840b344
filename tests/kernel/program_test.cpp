#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace lodge::kernel {
namespace {

using RunProgram = test::LeakChecked;

Deadline soon() {
    return Deadline::after(test::patience(std::chrono::seconds(20)));
}

Program shell(const std::string& script) {
    return {.path = "sh", .arguments = {"-c", script}, .deadline = soon()};
}

TEST_F(RunProgram, GivesBothStreamsAndTheInput) {
    Program program = shell("cat; echo wrong >&2");
    program.input = "given";
    const auto output = run_program(program);
    ASSERT_TRUE(output.has_value()) << output.error().to_string();
    EXPECT_EQ(output->standard_output, "given");
    EXPECT_EQ(output->standard_error, "wrong\n");
}

TEST_F(RunProgram, HasNothingButTheFixedEnvironmentAndThreeDescriptors) {
    ASSERT_EQ(::setenv("LODGE_LEAK", "x", 1), 0); // NOLINT(concurrency-mt-unsafe): one thread
    const UniqueFd inheritable(::open("/dev/null", O_RDONLY)); // NOLINT(android-cloexec-open): so
    Program program = shell("env | sort; ls /proc/self/fd | wc -l");
    program.environment = {"EXTRA=1"};
    const auto output = run_program(program);
    ASSERT_EQ(::unsetenv("LODGE_LEAK"), 0); // NOLINT(concurrency-mt-unsafe): one thread
    ASSERT_TRUE(output.has_value()) << output.error().to_string();
    const std::string& text = output->standard_output;
    EXPECT_EQ(text.find("LODGE_LEAK"), std::string::npos);
    EXPECT_NE(text.find("EXTRA=1\n"), std::string::npos);
    EXPECT_NE(text.find(std::string("PATH=") + kProgramPath + "\n"), std::string::npos);
    EXPECT_TRUE(text.ends_with("\n4\n")) << text; // 0, 1, 2 and ls's own
}

TEST_F(RunProgram, MakesStandardErrorPartOfTheFailure) {
    const auto output = run_program(shell("echo no such thing >&2; exit 3"));
    ASSERT_FALSE(output.has_value());
    EXPECT_EQ(output.error().message(), "'sh' exited with 3: no such thing");
    Program judged = shell("exit 3");
    judged.judged = true;
    EXPECT_EQ(run_program(judged).value().exit_code, 3);
    EXPECT_NE(run_program(shell("kill -9 $$")).error().message().find("signal 9"),
              std::string::npos);
}

TEST_F(RunProgram, SaysThatAProgramIsNotInstalled) {
    const auto output = run_program({.path = "no-such-program-here", .deadline = soon()});
    EXPECT_EQ(output.error().code(), ErrorCode::unsupported);
    EXPECT_NE(output.error().message().find("is not installed"), std::string::npos);
}

TEST_F(RunProgram, EndsAtTheDeadlineWithAllThatItStarted) {
    Program program = shell("sleep 1000 & sleep 1000");
    program.deadline = Deadline::after(std::chrono::milliseconds(100));
    EXPECT_EQ(run_program(program).error().code(), ErrorCode::timeout);
}

TEST_F(RunProgram, KeepsTheDeadlineOfAProgramThatNeverStopsWriting) {
    Program program{.path = "yes", .deadline = Deadline::after(std::chrono::milliseconds(200))};
    EXPECT_EQ(run_program(program).error().code(), ErrorCode::timeout);
}

TEST_F(RunProgram, LeavesNothingOfItsGroupRunning) {
    const test::TempDir directory;
    // The child holds the write end of a FIFO open: our read ends when it is gone.
    const std::string fifo = directory.path() + "/alive";
    const auto output =
        run_program(shell("mkfifo " + fifo + "; sleep 1000 <> " + fifo + " & echo $!"));
    ASSERT_TRUE(output.has_value()) << output.error().to_string();
    const pid_t left = static_cast<pid_t>(std::stol(output->standard_output));
    const Deadline deadline = soon();
    // A killed process that init has yet to reap is a zombie: "Z" in its stat.
    const auto gone = [&] {
        const auto stat = read_file("/proc/" + std::to_string(left) + "/stat", 4096);
        return !stat || stat->find(") Z ") != std::string::npos;
    };
    while (!gone() && !deadline.expired()) {
        (void)::poll(nullptr, 0, 2);
    }
    EXPECT_TRUE(gone());
}

TEST_F(RunProgram, IsCancelledThroughADescriptor) {
    const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
    Program program{.path = "sleep", .arguments = {"1000"}, .deadline = soon()};
    program.cancel_fd = cancel.get();
    EXPECT_EQ(run_program(program).error().code(), ErrorCode::cancelled);
}

TEST_F(RunProgram, KeepsTheHeadOfOutputAndTheTailOfErrors) {
    const auto output =
        run_program(shell("head -c 3000000 /dev/zero | tr '\\0' o; echo end; "
                          "(head -c 100000 /dev/zero | tr '\\0' e; echo last) >&2"));
    ASSERT_TRUE(output.has_value()) << output.error().to_string();
    EXPECT_EQ(output->standard_output.size(), std::size_t{1} << 20);
    EXPECT_EQ(output->standard_error.size(), std::size_t{16} << 10);
    EXPECT_TRUE(output->standard_error.ends_with("elast\n"));
}

TEST_F(RunProgram, StartsWithDefaultSignals) {
    ASSERT_NE(::signal(SIGPIPE, SIG_IGN), SIG_ERR);
    const auto output = run_program(shell("kill -PIPE $$; echo survived"));
    ASSERT_NE(::signal(SIGPIPE, SIG_DFL), SIG_ERR);
    EXPECT_FALSE(output.has_value());
}

using MessageSocket = test::LeakChecked;

TEST_F(MessageSocket, CarriesDescriptorsAndKeepsMessagesApart) {
    const auto [near, far] = make_message_pair().value();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::string text = "hello";
    ASSERT_TRUE(send_message(near.get(), std::as_bytes(std::span(text)), std::array{null.get()}));
    ASSERT_TRUE(send_message(near.get(), std::as_bytes(std::span(text))));
    std::array<std::byte, 64> buffer{};
    const ReceivedMessage first = receive_message(far.get(), buffer, soon()).value();
    EXPECT_EQ(first.size, 5U);
    ASSERT_EQ(first.fds.size(), 1U);
    EXPECT_EQ(::fcntl(first.fds[0].get(), F_GETFD), FD_CLOEXEC);
    EXPECT_TRUE(receive_message(far.get(), buffer, soon()).value().fds.empty());
}

TEST_F(MessageSocket, RefusesALongMessageAndClosesWhatCame) {
    const auto [near, far] = make_message_pair().value();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::string text(65, 'x');
    ASSERT_TRUE(send_message(near.get(), std::as_bytes(std::span(text)), std::array{null.get()}));
    std::array<std::byte, 64> buffer{};
    EXPECT_EQ(receive_message(far.get(), buffer, soon()).error().code(), ErrorCode::corrupt);
}

TEST_F(MessageSocket, TellsSilenceFromAClosedPeer) {
    auto [near, far] = make_message_pair().value();
    std::array<std::byte, 64> buffer{};
    const Deadline short_wait = Deadline::after(std::chrono::milliseconds(1));
    EXPECT_EQ(receive_message(far.get(), buffer, short_wait).error().code(), ErrorCode::timeout);
    near.reset();
    EXPECT_TRUE(receive_message(far.get(), buffer, soon()).value().closed);
    EXPECT_EQ(send_message(far.get(), std::as_bytes(std::span("x", 1))).error().sys_errno(), EPIPE);
}

TEST_F(MessageSocket, IsFoundInADirectoryOfAnyLength) {
    const test::TempDir top;
    const std::string deep = top.path() + "/" + std::string(200, 'd');
    ASSERT_TRUE(make_directory(deep, 0700).has_value());
    const DirFd directory = open_directory(deep).value();
    const UniqueFd listener = listen_messages(directory.get(), "s").value();
    const UniqueFd client = connect_messages(directory.get(), "s").value();
    const PeerCredentials peer = peer_credentials(client.get()).value();
    EXPECT_EQ(peer.pid, ::getpid());
    EXPECT_EQ(peer.uid, ::getuid());
    EXPECT_FALSE(connect_messages(directory.get(), "none").has_value());
    EXPECT_FALSE(listen_messages(directory.get(), std::string(120, 's').c_str()).has_value());
}

} // namespace
} // namespace lodge::kernel
