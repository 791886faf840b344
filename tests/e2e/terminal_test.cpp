// A person at a terminal: `exec -t`, `enter`, `console`.
#include "lib/base/clock.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/patience.hpp"

#include <csignal>
#include <cstring>

#include <termios.h>

namespace lodge::test {

namespace {

constexpr const char* kCtrlC = "\x03";
constexpr const char* kDetachKey = "\x1d"; // Ctrl-]

class TerminalTest : public RunningContainerTest {
  protected:
    void SetUp() override {
        RunningContainerTest::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        screen = make_user_terminal(33, 101);
        ASSERT_EQ(::tcgetattr(screen.slave.get(), &before), 0);
    }
    void TearDown() override {
        screen = {};
        LodgeTest::TearDown();
    }
    // What came on the screen until `text` did.
    std::string see(const std::string& text) {
        auto seen = await_text(screen, text);
        EXPECT_TRUE(seen) << seen.error().to_string() << host->daemon_log();
        return seen ? *seen : "";
    }
    bool is_raw() {
        termios now{};
        EXPECT_EQ(::tcgetattr(screen.slave.get(), &now), 0);
        return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
    }
    void expect_mode_restored() {
        termios now{};
        ASSERT_EQ(::tcgetattr(screen.slave.get(), &now), 0);
        EXPECT_EQ(now.c_iflag, before.c_iflag);
        EXPECT_EQ(now.c_oflag, before.c_oflag);
        EXPECT_EQ(now.c_cflag, before.c_cflag);
        EXPECT_EQ(now.c_lflag, before.c_lflag);
        EXPECT_EQ(std::memcmp(&now.c_cc, &before.c_cc, sizeof now.c_cc), 0);
    }
    std::string signalled() {
        return host->lodge({"exec", "web1", "--", "/bin/guest", "cat", "/signalled"}).out;
    }

    UserTerminal screen;
    termios before{};
};

TEST_F(TerminalTest, GivesACommandATerminalOfTheContainer) {
    CliProcess cli(*host, {"exec", "-t", "web1", "--", "/bin/guest", "tty"}, screen);
    const std::string seen = see("\n");
    EXPECT_EQ(seen.rfind("/dev/pts/", 0), 0U) << seen;
    EXPECT_EQ(cli.wait(), 0);
    expect_mode_restored();
}

TEST_F(TerminalTest, TellsTheCommandWhatTheTerminalIs) {
    ASSERT_EQ(::setenv("TERM", "odd-256color", 1), 0); // of the test's own process
    for (const char* flags : {"-it", "-ti", "-t"}) {
        CliProcess cli(*host, {"exec", flags, "web1", "--", "/bin/guest", "env"}, screen);
        see("TERM=odd-256color\r\n");
        EXPECT_EQ(cli.wait(), 0) << flags;
    }
    CliProcess given(
        *host, {"exec", "-te", "TERM=dumb", "web1", "--", "/bin/guest", "env"}, screen);
    see("TERM=dumb\r\n");
    EXPECT_EQ(given.wait(), 0);
    ASSERT_EQ(::unsetenv("TERM"), 0);
    CliProcess unknown(*host, {"exec", "-t", "web1", "--", "/bin/guest", "env"}, screen);
    see("TERM=vt220\r\n");
    EXPECT_EQ(unknown.wait(), 0);
    CliProcess shell(*host, {"exec", "-i", "web1", "--", "/bin/guest", "tty"}, screen);
    see("not a tty");
    EXPECT_EQ(shell.wait(), 1);
}

TEST_F(TerminalTest, GivesNoTerminalUnlessAsked) {
    CliProcess plain(*host, {"exec", "web1", "--", "/bin/guest", "tty"}, screen);
    see("not a tty");
    EXPECT_EQ(plain.wait(), 1);
    CliProcess refused(*host, {"exec", "-t", "-T", "web1", "--", "/bin/guest", "tty"}, screen);
    see("not a tty");
    EXPECT_EQ(refused.wait(), 1);
}

TEST_F(TerminalTest, CarriesTheWindowsSizeAndItsChanges) {
    CliProcess cli(*host, {"exec", "-t", "web1", "--", "/bin/guest", "watch-size", "2"}, screen);
    see("size 33 101");
    resize(screen, 50, 140);
    see("size 50 140");
    resize(screen, 24, 80);
    see("size 24 80");
    EXPECT_EQ(cli.wait(), 0);
}

TEST_F(TerminalTest, CtrlCInterruptsTheCommandAndNotTheClient) {
    CliProcess cli(*host, {"exec", "-t", "web1", "--", "/bin/guest", "await-signal"}, screen);
    see("ready");
    EXPECT_TRUE(is_raw());
    type(screen, kCtrlC);
    see("signal 2");
    EXPECT_EQ(cli.wait(), 2) << "the command's own exit code";
    expect_mode_restored();
}

TEST_F(TerminalTest, ReturnsTheExitCodeOfACommandWithATerminal) {
    CliProcess failing(*host, {"exec", "-t", "web1", "--", "/bin/guest", "exit", "7"}, screen);
    EXPECT_EQ(failing.wait(), 7);
    CliProcess killed(*host, {"exec", "-t", "web1", "--", "/bin/guest", "kill-self", "9"}, screen);
    EXPECT_EQ(killed.wait(), 137);
    CliProcess missing(*host, {"exec", "-t", "web1", "--", "/bin/none"}, screen);
    EXPECT_EQ(missing.wait(), 127);
    expect_mode_restored();
}

TEST_F(TerminalTest, EntersAShellWithJobControl) {
    CliProcess cli(*host, {"enter", "web1"}, screen);
    see("login shell");
    see("$ ");
    type(screen, "tty\r");
    see("/dev/pts/");
    see("$ ");
    type(screen, "await-signal\r");
    see("ready");
    type(screen, kCtrlC);
    see("signal 2");
    see("$ "); // the shell was not interrupted
    type(screen, "exit 5\r");
    EXPECT_EQ(cli.wait(), 5);
    expect_mode_restored();
}

TEST_F(TerminalTest, ATerminalThatHangsUpEndsTheSession) {
    CliProcess cli(*host, {"exec", "-t", "web1", "--", "/bin/guest", "await-signal"}, screen);
    see("ready");
    screen = {}; // the window is closed
    EXPECT_EQ(cli.wait(), 128 + SIGHUP);
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
    while (signalled() != std::to_string(SIGHUP) && !deadline.expired()) {
    }
    EXPECT_EQ(signalled(), std::to_string(SIGHUP)) << "the command learns that nobody listens";
}

TEST_F(TerminalTest, ATerminatedClientRestoresTheTerminal) {
    CliProcess cli(*host, {"exec", "-t", "web1", "--", "/bin/guest", "await-signal"}, screen);
    see("ready");
    ASSERT_TRUE(is_raw());
    cli.signal(SIGTERM);
    EXPECT_EQ(cli.wait(), 128 + SIGTERM);
    expect_mode_restored();
}

TEST_F(TerminalTest, AttachesToTheConsoleUntilTheDetachKey) {
    CliProcess first(*host, {"console", "web1"}, screen);
    see("guest: up");
    see("leave it with Ctrl-]"); // behind what was kept
    EXPECT_TRUE(is_raw());
    type(screen, "hello\r");
    see("guest: heard hello");
    type(screen, kDetachKey);
    EXPECT_EQ(first.wait(), 0);
    expect_mode_restored();
    EXPECT_EQ(host->field("web1", "state"), "running");
    CliProcess again(*host, {"console", "web1"}, screen);
    see("guest: heard hello"); // what was kept
    type(screen, "again\r");
    see("guest: heard again");
    type(screen, std::string("last words\r") + kDetachKey);
    EXPECT_EQ(again.wait(), 0);
    CliProcess third(*host, {"console", "web1"}, screen);
    see("guest: heard last words"); // typed in one go with the detach key
    type(screen, kDetachKey);
    EXPECT_EQ(third.wait(), 0);
}

TEST_F(TerminalTest, NothingThatATenantWroteReachesTheTerminalUncleaned) {
    const std::string hostile = "\x1b]0;x\x07 \u009b2J\x7f end";
    const std::string cleaned = "?]0;x? ??2J? end";
    ASSERT_EQ(
        host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/dev/console", hostile}).code,
        0);
    CliProcess log(*host, {"console", "web1", "--log"}, screen);
    const std::string seen = see(" end");
    EXPECT_NE(seen.find("guest: up\r\n"), std::string::npos) << "lines stay lines: " << seen;
    EXPECT_NE(seen.find(cleaned), std::string::npos) << seen;
    EXPECT_EQ(log.wait(), 0);
    EXPECT_NE(host->lodge({"console", "web1", "--log"}).out.find(hostile), std::string::npos)
        << "a file gets what was written";
    const std::string json = host->lodge({"console", "web1", "--log", "--json"}).out;
    EXPECT_NE(json.find("\\u001b]0;x\\u0007 \\u009b2J\\u007f end"), std::string::npos) << json;
}

TEST_F(TerminalTest, TheConsoleEndsWithTheContainer) {
    CliProcess cli(*host, {"console", "web1"}, screen);
    see("guest: up");
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    see("guest: power off");
    EXPECT_EQ(cli.wait(), 0);
    expect_mode_restored();
}

} // namespace

} // namespace lodge::test
