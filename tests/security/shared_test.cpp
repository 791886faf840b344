// What no namespace divides: settings, pools and listings of the one kernel.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/network_lab.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kSettings = "/proc/sys";
constexpr const char* kTunnelHooks = "/proc/sys/net/netfilter/nf_hooks_lwtunnel";
constexpr const char* kMine = "/own-proc"; // the tenant's own proc, without our write protection

class SharedTest : public RunningContainerTest {
  protected:
    CliResult guest(const std::string& name, std::vector<std::string> words) {
        std::vector<std::string> all{"exec", name, "--", "/bin/guest"};
        all.insert(all.end(), words.begin(), words.end());
        return host->lodge(all);
    }
    void mount_own_proc() {
        ASSERT_EQ(guest("web1", {"mkdir", kMine}).code, 0);
        ASSERT_EQ(guest("web1", {"mount", "proc", kMine, "proc"}).code, 0);
    }
    // What a command of the guest's lists of its own proc, from "/proc/sys/" on.
    std::vector<std::string> settings(const std::string& command) {
        const CliResult said = guest("web1", {command, std::string(kMine) + "/sys"});
        EXPECT_EQ(said.code, 0) << said.err;
        std::vector<std::string> paths;
        std::istringstream lines(said.out);
        for (std::string line; std::getline(lines, line);) {
            paths.push_back(line.substr(std::string(kMine).size() + std::string("/sys/").size()));
        }
        return paths;
    }
};

bool begins_with_one_of(const std::string& text, const std::vector<std::string>& prefixes) {
    return std::ranges::any_of(prefixes,
                               [&](const std::string& prefix) { return text.starts_with(prefix); });
}

// Only opened, never written to.
TEST_F(SharedTest, OnlySettingsOfItsOwnNamespacesOpenForWriting) {
    ASSERT_NO_FATAL_FAILURE(mount_own_proc());
    const std::vector<std::string> of_namespaces{
        "net/",
        "user/",
        "fs/mqueue/",
        "fs/binfmt_misc/",
        "kernel/domainname",
        "kernel/hostname",
        "kernel/auto_msgmni",
        "kernel/msg",
        "kernel/sem",
        "kernel/shm",
        "kernel/ns_last_pid",
        "kernel/pid_max"}; // since 6.14 of the pid namespace
    const auto writable = settings("list-settings");
    EXPECT_GT(writable.size(), 20U);
    for (const std::string& path : writable) {
        EXPECT_TRUE(begins_with_one_of(path, of_namespaces)) << path;
    }
}

TEST_F(SharedTest, TheOneSwitchOfAllTunnelsIsSettledWhenTheDaemonRuns) {
    const auto settled = kernel::read_file(kTunnelHooks, 16);
    if (!settled) {
        EXPECT_FALSE(everything_is_required()) << "Debian's kernels have it";
        return;
    }
    EXPECT_EQ(*settled, "1\n");
    for (const char* value : {"0", "1", "2"}) {
        (void)guest("web1", {"write", kTunnelHooks, value});
        EXPECT_EQ(kernel::read_file(kTunnelHooks, 16).value_or(""), "1\n") << value;
    }
}

// Those that change by themselves.
bool is_of_the_moment(const std::string& path) {
    return begins_with_one_of(path,
                              {"fs/dentry-state",
                               "fs/file-nr",
                               "fs/inode-",
                               "fs/aio-nr",
                               "kernel/ns_last_pid",
                               "kernel/perf_event_max_sample_rate",
                               "kernel/pty/nr",
                               "kernel/random/",
                               "net/netfilter/nf_conntrack_count"});
}

std::map<std::string, std::string> host_settings_now() {
    std::map<std::string, std::string> all;
    for (fs::recursive_directory_iterator
             entry(kSettings, fs::directory_options::skip_permission_denied),
         end;
         entry != end;
         ++entry) {
        const std::string path = entry->path().string().substr(std::string(kSettings).size() + 1);
        if (path == "fs/binfmt_misc") { // mounted when it is entered, which fails in a namespace
            entry.disable_recursion_pending();
        }
        const auto mode = entry->symlink_status().permissions();
        if (entry->is_regular_file() && (mode & fs::perms::owner_read) != fs::perms::none &&
            !is_of_the_moment(path)) {
            all[path] = kernel::read_file(entry->path().string(), 65536).value_or("unreadable");
        }
    }
    return all;
}

TEST_F(SharedTest, ChangingEverySettingInsideChangesNoneOfTheHost) {
    REQUIRES("own_machine"); // one that is shared may have no way back
    ASSERT_NO_FATAL_FAILURE(mount_own_proc());
    const auto before = host_settings_now();
    const auto changed = settings("change-settings");
    EXPECT_GT(changed.size(), 100U) << "the walk did something";
    const auto after = host_settings_now();
    EXPECT_GT(after.size(), 500U);
    for (const auto& [path, value] : after) {
        // Links come and go with other tests' containers; this one's was there before.
        const auto was = before.find(path);
        EXPECT_TRUE(was == before.end() || was->second == value)
            << path << " was " << was->second << ", is " << value;
    }
}

/// A command of the guest's that takes of a pool and holds it for as long as this lives.
class Taker {
  public:
    Taker(const LodgeHost& host, const std::string& name, std::vector<std::string> words)
        : process_(
              host, all(name, std::move(words)), {.in = in_.read.get(), .out = out_.write.get()}) {
        in_.read.reset();
        out_.write.reset();
    }
    ~Taker() {
        in_.write.reset();
        (void)process_.wait();
    }
    Taker(const Taker&) = delete;
    Taker& operator=(const Taker&) = delete;

    // What it says it took; -1: nothing within its time.
    long taken() {
        const Deadline deadline = Deadline::after(patience(60s));
        while (said_.find('\n') == std::string::npos) {
            pollfd wait{out_.read.get(), POLLIN, 0};
            std::array<char, 256> text{};
            const ssize_t size = ::poll(&wait, 1, deadline.poll_timeout()) > 0
                                     ? ::read(out_.read.get(), text.data(), text.size())
                                     : 0;
            if (size <= 0) {
                return -1;
            }
            said_.append(text.data(), static_cast<std::size_t>(size));
        }
        return said_.starts_with("took ") ? std::stol(said_.substr(5)) : -1;
    }
    [[nodiscard]] const std::string& said() const { return said_; }

  private:
    static std::vector<std::string> all(const std::string& name, std::vector<std::string> words) {
        words.insert(words.begin(), {"exec", name, "--", "/bin/guest"});
        return words;
    }
    Pipe in_ = make_pipe();
    Pipe out_ = make_pipe();
    CliProcess process_;
    std::string said_;
};

// Twice the kernel's default for the whole host.
TEST_F(SharedTest, AContainerThatTakesTerminalsStarvesNoOther) {
    REQUIRES("host_settings");
    constexpr long kMost = 8192;
    Taker greedy(*host, "web1", {"take-terminals", std::to_string(kMost)});
    EXPECT_EQ(greedy.taken(), kMost) << greedy.said();
    const CliResult started =
        host->lodge({"create", "web2", "--template", "tiny", "--disk", "64M", "--start"});
    EXPECT_EQ(started.code, 0) << started.err;
    EXPECT_EQ(host->lodge({"exec", "-t", "web2", "--", "/bin/guest", "true"}).code, 0);
    EXPECT_TRUE(kernel::open_file("/dev/ptmx", O_RDWR | O_NOCTTY)) << "the operator's ssh";
}

// What was lowered all the same leaves the host its own.
TEST_F(SharedTest, AReserveOfTerminalsStaysWithTheHost) {
    REQUIRES("own_machine");
    const std::string most = kernel::read_file("/proc/sys/kernel/pty/max", 32).value();
    ASSERT_TRUE(kernel::write_control(AT_FDCWD, "/proc/sys/kernel/pty/max", "1500"));
    {
        Taker greedy(*host, "web1", {"take-terminals", "8192"});
        const long taken = greedy.taken();
        EXPECT_TRUE(taken > 0 && taken < 1500) << greedy.said();
        EXPECT_TRUE(kernel::open_file("/dev/ptmx", O_RDWR | O_NOCTTY)) << "the operator's ssh";
    }
    EXPECT_TRUE(kernel::write_control(AT_FDCWD, "/proc/sys/kernel/pty/max", most));
}

TEST_F(SharedTest, AContainerThatTakesSlotsOfAsynchronousInputStarvesNoOther) {
    REQUIRES("host_settings");
    constexpr long kMost = 200'000; // the kernel's default for the whole host is 65536
    Taker greedy(*host, "web1", {"take-aio", std::to_string(kMost)});
    EXPECT_EQ(greedy.taken(), kMost) << greedy.said();
    ASSERT_EQ(
        host->lodge({"create", "web2", "--template", "tiny", "--disk", "64M", "--start"}).code, 0);
    Taker modest(*host, "web2", {"take-aio", "10000"});
    EXPECT_EQ(modest.taken(), 10'000) << modest.said();
}

class ConnectionsTest : public SharedTest {
  protected:
    static constexpr int kMost = 32;
    static constexpr const char* kGateway = "10.77.0.1";
    static constexpr std::uint16_t kPort = 53;

    void prepare_host() override {
        host->configure("network: {most_connections: " + std::to_string(kMost) + ", pools: [" +
                        kGateway + "/16]}\n");
    }
    void TearDown() override {
        host->stop_daemon(); // the next one makes the table anew, without what was counted
        EXPECT_EQ(witness({"nft", "delete table inet lodge"}), "");
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
        SharedTest::TearDown();
    }
    // Datagrams that are there, and from how many addresses.
    static std::map<std::uint32_t, int> received(int socket) {
        std::map<std::uint32_t, int> by_sender;
        sockaddr_in from{};
        socklen_t size = sizeof from;
        std::array<char, 8> text{};
        while (::recvfrom(socket,
                          text.data(),
                          text.size(),
                          MSG_DONTWAIT,
                          reinterpret_cast<sockaddr*>(&from),
                          &size) > 0) {
            ++by_sender[from.sin_addr.s_addr];
        }
        return by_sender;
    }
    static int tracked() {
        return std::stoi(
            kernel::read_file("/proc/sys/net/netfilter/nf_conntrack_count", 32).value_or("-1"));
    }
};

// How each kind is bounded is proven in the kernel tier: here, that a container is.
TEST_F(ConnectionsTest, AContainerThatTakesThemStarvesNoOther) {
    ASSERT_EQ(
        host->lodge({"create", "web2", "--template", "tiny", "--disk", "64M", "--start"}).code, 0);
    const UniqueFd resolver = bound_socket(nullptr, SOCK_DGRAM, kGateway, kPort);
    const int before = tracked();
    const std::vector<std::string> all{"take-connections", kGateway, std::to_string(kPort), "1000"};
    Taker greedy(*host, "web1", all);
    EXPECT_EQ(greedy.taken(), 1000) << greedy.said();
    EXPECT_LE(tracked() - before, kMost + 8) << "and what a second or two add";
    const auto of_one = received(resolver.get());
    ASSERT_EQ(of_one.size(), 1U);
    EXPECT_GE(of_one.begin()->second, kMost / 8) << "those of the first moment";
    EXPECT_LE(of_one.begin()->second, kMost);
    Taker modest(*host, "web2", {"take-connections", kGateway, std::to_string(kPort), "1"});
    EXPECT_EQ(modest.taken(), 1) << modest.said();
    const auto of_other = received(resolver.get());
    ASSERT_EQ(of_other.size(), 1U) << "the other has its own";
    EXPECT_NE(of_other.begin()->first, of_one.begin()->first);
}

// Files that every tenant may read name no other container and no place of the operator's, however
// he mounts them.
TEST_F(SharedTest, ListingsOfTheKernelTellNothingOfNeighbours) {
    ASSERT_EQ(
        host->lodge({"create", "zweig7f3e", "--template", "tiny", "--disk", "64M", "--start"}).code,
        0);
    const std::string uuid = host->field("zweig7f3e", "uuid");
    std::string digits = uuid;
    std::erase(digits, '-');
    const std::string place = fs::path(host->directory()).filename().string();
    const std::string digest = host->field_of_template("tiny", "digest").substr(7, 32);
    EXPECT_NE(guest("web1", {"search", "/proc/1", host->field("web1", "uuid")})
                  .out.find("/proc/1/environ: "),
              std::string::npos)
        << "the search finds what is there";
    for (const char* root : {"/proc", "/sys", "/run/host/unmasked"}) {
        const CliResult found =
            guest("web1", {"search", root, uuid, digits, place, digest, "zweig7f3e"});
        std::istringstream lines(found.out);
        for (std::string line; std::getline(lines, line);) {
            // This very command has the words among its own.
            EXPECT_NE(line.find("/cmdline: "), std::string::npos) << line;
        }
    }
}

TEST_F(SharedTest, ProgramsFindNoBlockDevicesOfTheHost) {
    for (const char* directory :
         {"/sys/block", "/sys/class/block", "/sys/dev/block", "/sys/devices/virtual/block"}) {
        const CliResult listed = guest("web1", {"list", directory});
        EXPECT_EQ(listed.code, 0) << directory << listed.err;
        std::set<std::string> names;
        std::istringstream lines(listed.out);
        for (std::string line; std::getline(lines, line);) {
            names.insert(line);
        }
        EXPECT_EQ(names, (std::set<std::string>{".", ".."})) << directory;
    }
}

} // namespace

} // namespace lodge::test
