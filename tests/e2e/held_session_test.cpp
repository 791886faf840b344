// A container that holds up whoever wants in.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

constexpr const char* kInterrupt = "\x03";

class HeldSessionTest : public RunningContainerTest {
  protected:
    // Freezes the group that sessions live in, as its owner inside may.
    void hold_sessions() {
        const auto text =
            kernel::read_file("/proc/" + host->field("web1", "pid") + "/cgroup", 4096);
        const auto mounts = kernel::read_mountinfo();
        ASSERT_TRUE(text && mounts);
        const std::size_t at = text->find("0::") + 3;
        for (const kernel::MountInfo& mount : *mounts) {
            if (mount.type == "cgroup2") {
                const auto group = kernel::open_directory(
                    mount.mount_point + text->substr(at, text->find('\n', at) - at) + "/.lodge");
                ASSERT_TRUE(group) << group.error().to_string();
                ASSERT_TRUE(kernel::write_control(group->get(), "cgroup.freeze", "1"));
                return;
            }
        }
    }
    // Waits until that group has so many processes: how many sessions have been let in.
    void await_sessions(std::size_t count) {
        const std::string group = host->field("web1", "uuid") + "/.lodge\n";
        const Deadline deadline = Deadline::after(patience(10s));
        std::size_t seen = 0;
        while (seen < count && !deadline.expired()) {
            seen = 0;
            for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
                const auto groups =
                    kernel::read_file(entry.path().string() + "/cgroup", 4096).value_or("");
                seen += groups.find(group) != std::string::npos;
            }
        }
        ASSERT_GE(seen, count) << "sessions";
    }
    static std::vector<std::string> guest(std::vector<std::string> options,
                                          std::vector<std::string> command) {
        std::vector<std::string> words{"exec"};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"web1", "--", "/bin/guest"});
        words.insert(words.end(), command.begin(), command.end());
        return words;
    }
};

TEST_F(HeldSessionTest, EndsWithItsDeadlineAndBeforeByASignal) {
    ASSERT_EQ(host->lodge(guest({}, {"true"})).code, 0);
    Pipe output = make_pipe();
    CliProcess deaf(*host, guest({}, {"await-signal"}), {.out = output.write.get()});
    std::array<char, 8> ready{};
    ASSERT_GT(::read(output.read.get(), ready.data(), ready.size()), 0);
    ASSERT_NO_FATAL_FAILURE(hold_sessions());
    // Nobody ends this one: the deadline does.
    Pipe errors = make_pipe();
    CliProcess left(*host, guest({}, {"true"}), {.err = errors.write.get()});
    CliProcess signalled(*host, guest({}, {"true"}), CliStreams{});
    UserTerminal screen = make_user_terminal(24, 80);
    CliProcess seen(*host, guest({"-t"}, {"true"}), screen);
    ASSERT_NO_FATAL_FAILURE(await_sessions(4));
    signalled.signal(SIGTERM);
    EXPECT_EQ(signalled.wait(), 128 + SIGTERM);
    type(screen, kInterrupt);
    EXPECT_EQ(seen.wait(), 128 + SIGINT);
    // What has started has its signals; the third ends us, whoever hears it.
    // (Three kinds, as two of one may become one on the way.)
    deaf.signal(SIGHUP);
    deaf.signal(SIGINT);
    ASSERT_EQ(host->lodge({"info", "web1"}).code, 0);
    EXPECT_TRUE(deaf.running());
    deaf.signal(SIGTERM);
    EXPECT_EQ(deaf.wait(), 128 + SIGTERM);
    EXPECT_EQ(left.wait(), 11);
    std::array<char, 512> why{};
    ASSERT_GT(::read(errors.read.get(), why.data(), why.size() - 1), 0);
    EXPECT_NE(std::string(why.data()).find("kept the command from starting"), std::string::npos)
        << why.data();
    EXPECT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
}

TEST_F(HeldSessionTest, EndsWhereNotEvenAKillEndsItsProcess) {
    REQUIRES("fuse");
    Pipe output = make_pipe();
    CliProcess server(*host, guest({}, {"hang-in-fuse", "/etc"}), {.out = output.write.get()});
    std::array<char, 8> hung{};
    ASSERT_GT(::read(output.read.get(), hung.data(), hung.size()), 0);
    CliProcess session(*host, guest({"--user", "somebody"}, {"true"}), CliStreams{});
    ASSERT_NO_FATAL_FAILURE(await_sessions(3)); // the server, its client, and ours
    session.signal(SIGINT);
    EXPECT_EQ(session.wait(), 128 + SIGINT);
    EXPECT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
}

// A `tiny` whose readiness is a server of SSH that never is: it has no address inside.
class KnockTest : public LodgeTest {
  protected:
    void SetUp() override {
        LodgeTest::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        const std::string tree = host->directory() + "/tiny";
        std::filesystem::create_directories(tree + "/usr/sbin");
        std::filesystem::create_hard_link(tree + "/bin/guest", tree + "/usr/sbin/sshd");
        const std::string tar = host->directory() + "/knock.tar";
        ASSERT_TRUE(kernel::run_program({.path = "tar",
                                         .arguments = {"-cf", tar, "-C", tree, "."},
                                         .environment = {},
                                         .input = {},
                                         .deadline = Deadline::after(patience(20s))}));
        ASSERT_EQ(host->lodge({"template", "import", "knock", tar}).code, 0);
        const CliResult made = host->lodge(
            {"create", "web1", "--template", "knock", "--encryption", "none", "--start"});
        ASSERT_EQ(made.code, 0) << made.err;
        ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    }
    void TearDown() override {
        if (host) {
            host->destroy_all();
            EXPECT_EQ(host->lodge({"template", "remove", "knock"}).code, 0); // its mount too
        }
        LodgeTest::TearDown();
    }
    // How many connections of this network namespace were refused: the kernel of a container whose
    // port 22 is nobody's answers so.
    static std::uint64_t refused() {
        std::istringstream text(kernel::read_file("/proc/net/snmp", 1 << 16).value_or(""));
        std::vector<std::string> names;
        for (std::string line; std::getline(text, line);) {
            std::istringstream fields(line);
            const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
            const auto at = std::find(names.begin(), names.end(), "AttemptFails");
            if (line.starts_with("Tcp:") && at != names.end()) {
                return std::stoull(words.at(static_cast<std::size_t>(at - names.begin())));
            }
            names = words;
        }
        return 0;
    }
    // Waits until the daemon has knocked.
    static void await_knock(std::uint64_t before) {
        const Deadline deadline = Deadline::after(patience(10s));
        while (refused() == before) {
            ASSERT_FALSE(deadline.expired()) << "nobody knocks";
        }
    }
};

TEST_F(KnockTest, EndsWithTheContainer) {
    for (const auto& verb :
         {std::vector<std::string>{"stop", "web1"}, {"kill", "web1", "--signal", "USR2"}}) {
        Pipe errors = make_pipe();
        const std::uint64_t before = refused();
        CliProcess wait(*host, {"wait", "web1", "--timeout", "60s"}, {.err = errors.write.get()});
        ASSERT_NO_FATAL_FAILURE(await_knock(before));
        const auto begin = std::chrono::steady_clock::now();
        ASSERT_EQ(host->lodge(verb).code, 0);
        EXPECT_EQ(wait.wait(), 5);
        EXPECT_LT(std::chrono::steady_clock::now() - begin, patience(10s));
        std::array<char, 512> why{};
        ASSERT_GT(::read(errors.read.get(), why.data(), why.size() - 1), 0);
        EXPECT_NE(std::string(why.data()).find("is not running"), std::string::npos) << why.data();
        if (host->lodge({"start", "web1"}).code == 0) {
            await_init("web1");
        }
    }
}

TEST_F(KnockTest, TellsAFreezeToo) {
    const std::uint64_t before = refused();
    CliProcess wait(*host, {"wait", "web1", "--timeout", "60s"}, CliStreams{});
    ASSERT_NO_FATAL_FAILURE(await_knock(before));
    ASSERT_EQ(host->lodge({"freeze", "web1"}).code, 0);
    EXPECT_EQ(wait.wait(), 5);
}

} // namespace

} // namespace lodge::test
