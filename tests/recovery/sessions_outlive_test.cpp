// Containers, consoles and exec sessions outlive a killed daemon, and the next daemon takes them
// up.
#include "lib/kernel/fs.hpp"
#include "lib/kernel/process.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/session_client.hpp"

#include <csignal>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::test {

namespace {

// Bytes in which a lost, repeated or moved piece shows.
std::string numbers(std::size_t size) {
    std::string text;
    text.reserve(size + 16);
    for (std::size_t i = 0; text.size() < size; ++i) {
        text += std::to_string(i) + "\n";
    }
    return text;
}

// Into a pipe whose reader may be gone, which must fail the test and not end it.
void feed(int fd, const std::string& text) {
    sigset_t pipe_signal;
    (void)::sigemptyset(&pipe_signal);
    (void)::sigaddset(&pipe_signal, SIGPIPE);
    (void)::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr); // this thread's, which ends soon
    const auto written = kernel::write_all(fd, text);
    EXPECT_TRUE(written) << written.error().to_string();
}

/// pid and start time: an identity that is not used again.
struct Identity {
    std::string pid;
    std::uint64_t start_time = 0;
    bool operator==(const Identity&) const = default;
};

class SessionsOutliveTest : public RunningContainerTest {
  protected:
    Identity init_of(const std::string& name) {
        const std::string pid = host->field(name, "pid");
        const auto stat = kernel::read_file("/proc/" + pid + "/stat", 4096);
        const auto time = stat ? kernel::parse_start_time(*stat) : 0;
        EXPECT_TRUE(stat && time) << pid;
        return {.pid = pid, .start_time = time ? *time : 0};
    }
    void expect_listed_as_running() {
        const CliResult list = host->lodge({"list"});
        EXPECT_EQ(list.code, 0);
        EXPECT_NE(list.out.find("web1"), std::string::npos) << list.out;
        EXPECT_NE(list.out.find("running"), std::string::npos) << list.out;
        EXPECT_EQ(list.out.find("(", 0), std::string::npos) << "busy with nothing: " << list.out;
    }
};

TEST_F(SessionsOutliveTest, AnExecSessionEndsWithItsOwnCodeAndItsWholeStream) {
    const Identity init = init_of("web1");
    const std::string sent = numbers(10'000'000);
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    CliProcess cli(*host,
                   {"exec", "web1", "--", "/bin/guest", "cat-then-exit", "43"},
                   {.in = in.read.get(), .out = out.write.get()});
    in.read.reset();
    out.write.reset();
    const std::size_t half = sent.size() / 2;
    // The writer stops in mid-stream, until the second daemon answers.
    ASSERT_TRUE(kernel::write_all(in.write.get(), sent.substr(0, 1000)));
    auto begun = read_until(out.read.get(), sent.substr(900, 100));
    ASSERT_TRUE(begun) << begun.error().to_string();
    std::jthread writer([&] { feed(in.write.get(), sent.substr(1000, half - 1000)); });
    host->kill_daemon();
    EXPECT_TRUE(cli.running());
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(init_of("web1"), init);
    expect_listed_as_running();
    std::jthread finisher([&] {
        writer.join();
        feed(in.write.get(), sent.substr(half));
        in.write.reset();
    });
    const auto rest = kernel::read_all(out.read.get(), sent.size() + 1);
    ASSERT_TRUE(rest) << rest.error().to_string();
    EXPECT_TRUE(*begun + *rest == sent) << begun->size() + rest->size() << " bytes came";
    EXPECT_EQ(cli.wait(), 43) << host->daemon_log();
}

TEST_F(SessionsOutliveTest, ASessionWithATerminalGoesOn) {
    UserTerminal screen = make_user_terminal(24, 80);
    CliProcess cli(*host, {"enter", "web1"}, screen);
    ASSERT_TRUE(await_text(screen, "$ "));
    host->kill_daemon();
    type(screen, "echo without a daemon\r");
    EXPECT_TRUE(await_text(screen, "\nwithout a daemon"));
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_TRUE(await_text(screen, "$ "));
    type(screen, "exit 44\r");
    EXPECT_EQ(cli.wait(), 44);
}

TEST_F(SessionsOutliveTest, AnAttachedConsoleGoesOn) {
    const Identity init = init_of("web1");
    UserTerminal screen = make_user_terminal(24, 80);
    CliProcess cli(*host, {"console", "web1"}, screen);
    ASSERT_TRUE(await_text(screen, "guest: up"));
    host->kill_daemon();
    type(screen, "one\r");
    EXPECT_TRUE(await_text(screen, "guest: heard one"));
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(init_of("web1"), init);
    expect_listed_as_running();
    type(screen, "two\r");
    EXPECT_TRUE(await_text(screen, "guest: heard two"));
    EXPECT_NE(host->lodge({"console", "web1", "--log"}).out.find("guest: heard one"),
              std::string::npos)
        << "what came while there was no daemon is kept";
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    EXPECT_EQ(cli.wait(), 0) << "it ends with the container";
}

TEST_F(SessionsOutliveTest, AContainerThatEndedMeanwhileIsReportedAsItEnded) {
    ASSERT_TRUE(host->lodge({"wait", "web1", "--for", "running"}).code == 0);
    const Identity init = init_of("web1");
    const auto pidfd = kernel::open_process(std::stoi(init.pid));
    ASSERT_TRUE(pidfd);
    host->kill_daemon();
    ASSERT_TRUE(kernel::send_signal(pidfd->get(), SIGUSR1)); // the guest's init ends with 7
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_field("web1", "state", "stopped");
    EXPECT_EQ(host->field("web1", "last_exit"), "exit 7");
    EXPECT_EQ(host->field("web1", "pid"), "null");
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

} // namespace

} // namespace lodge::test
