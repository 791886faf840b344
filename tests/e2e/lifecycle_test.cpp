#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/stat.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

class LifecycleTest : public LodgeTest {
  protected:
    void make(const std::string& name, const std::string& disk = "2G") {
        const CliResult made =
            host->lodge({"create", name, "--template", "tiny", "--disk", disk, "--start"});
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    }
    // How often the daemon said that one crashed.
    int crashes() {
        const std::string log = host->daemon_log();
        int count = 0;
        for (std::size_t at = 0; (at = log.find("crashed", at)) != std::string::npos; ++at) {
            ++count;
        }
        return count;
    }
    CliResult guest(const std::string& name,
                    std::vector<std::string> arguments,
                    const std::string& input = {}) {
        std::vector<std::string> words{"exec", name, "--", "/bin/guest"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return host->lodge(words, input);
    }
    // As root of web1, by `lodge ssh`; ssh asks a program for the password (SSH_ASKPASS, man ssh).
    std::string hostname_by_password(const std::string& password) {
        const std::string say = host->directory() + "/say";
        std::ofstream(say) << "#!/bin/sh\necho '" << password << "'\n";
        EXPECT_EQ(::chmod(say.c_str(), 0700), 0);
        const auto entered = kernel::run_program({.path = LODGE_BIN_DIR "/lodge",
                                                  .arguments = {"ssh",
                                                                "web1",
                                                                "--",
                                                                "-o",
                                                                "PubkeyAuthentication=no",
                                                                "-o",
                                                                "NumberOfPasswordPrompts=1",
                                                                "hostname"},
                                                  .environment = {"LODGE_SOCKET=" + host->socket(),
                                                                  "SSH_ASKPASS=" + say,
                                                                  "SSH_ASKPASS_REQUIRE=force"},
                                                  .input = {},
                                                  .deadline = Deadline::after(patience(30s)),
                                                  .judged = true});
        EXPECT_TRUE(entered);
        return entered ? entered->standard_output : "";
    }
};

TEST_F(LifecycleTest, GoesFromCreateToDestroy) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    EXPECT_EQ(host->field("web1", "state"), "stopped");
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    EXPECT_EQ(host->field("web1", "state"), "running");
    const std::string pid = host->field("web1", "pid");
    EXPECT_TRUE(kernel::read_file("/proc/" + pid + "/comm", 64));
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    EXPECT_EQ(host->field("web1", "state"), "stopped");
    EXPECT_FALSE(kernel::read_file("/proc/" + pid + "/comm", 64));
    ASSERT_EQ(host->lodge({"destroy", "web1"}).code, 0);
    EXPECT_NE(host->lodge({"info", "web1"}).code, 0);
}

TEST_F(LifecycleTest, ReturnsTheExitCodeOfACommand) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    EXPECT_EQ(guest("web1", {"exit", "7"}).code, 7);
    EXPECT_EQ(guest("web1", {"kill-self", "9"}).code, 137);
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/none"}).code, 127);
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "/etc/passwd"}).code, 126);
    EXPECT_EQ(guest("web1", {"echo", "one", "two"}).out, "one two\n");
}

TEST_F(LifecycleTest, ShowsTheTemplatesRootToEveryUser) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    EXPECT_EQ(guest("web1", {"stat", "/"}).out, "0 0 40755\n");
    const CliResult other =
        host->lodge({"exec", "web1", "--user", "1000", "--", "/bin/guest", "id"});
    EXPECT_EQ(other.out.substr(0, 5), "1000 ") << other.err;
}

TEST_F(LifecycleTest, GivesEachContainerIdsAndAddressesOfItsOwn) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(make("web2"));
    const long first = std::stol(host->field("web1", "uid_base"));
    const long second = std::stol(host->field("web2", "uid_base"));
    EXPECT_GE(std::abs(first - second), 65536);
    const auto map = kernel::read_file("/proc/" + host->field("web1", "pid") + "/uid_map", 4096);
    ASSERT_TRUE(map);
    EXPECT_NE(map->find(std::to_string(first)), std::string::npos) << *map;
    EXPECT_NE(host->field("web1", "mac_address"), host->field("web2", "mac_address"));
}

TEST_F(LifecycleTest, KeepsFilesAcrossAStopAndHidesThemOnDisk) {
    ASSERT_NO_FATAL_FAILURE(make("web1", "64M")); // it is searched
    const std::string canary = "canary-5b1c9e0d-plain-text";
    ASSERT_EQ(guest("web1", {"write", "/root/canary", canary}).code, 0);
    const std::string image = host->field("web1", "image");
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    const auto search = kernel::run_program({.path = "grep",
                                             .arguments = {"-c", "-a", canary, image},
                                             .environment = {},
                                             .input = {},
                                             .deadline = Deadline::after(patience(60s)),
                                             .judged = true});
    ASSERT_TRUE(search);
    EXPECT_EQ(search->exit_code, 1) << "the image holds the plain text";
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    EXPECT_EQ(guest("web1", {"cat", "/root/canary"}).out, canary);
}

TEST_F(LifecycleTest, ARebootInsideStartsItAgain) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    const std::string pid = host->field("web1", "pid");
    ASSERT_EQ(host->lodge({"kill", "web1", "--signal", "INT"}).code, 0); // it calls reboot(2)
    const Deadline deadline = Deadline::after(patience(10s));
    while ((host->field("web1", "pid") == pid || host->field("web1", "state") != "running") &&
           !deadline.expired()) {
    }
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_NE(host->field("web1", "pid"), pid);
    EXPECT_EQ(host->field("web1", "last_exit"), "reboot");
    EXPECT_EQ(guest("web1", {"exit", "3"}).code, 3);
    EXPECT_EQ(crashes(), 0) << "a reboot is no crash";
}

TEST_F(LifecycleTest, APowerOffInsideStopsIt) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"kill", "web1", "--signal", "PWR"}).code, 0); // reboot(2), power off
    expect_field("web1", "state", "stopped");
    EXPECT_EQ(host->field("web1", "last_exit"), "halt");
    EXPECT_EQ(host->field("web1", "pid"), "null");
    EXPECT_EQ(crashes(), 0) << "a halt is no crash";
}

TEST_F(LifecycleTest, AStoppedContainerTellsWhatItsInitSaidAndWhyItDoesNotRun) {
    const auto log = [this] { return host->lodge({"console", "web1", "--log"}).out; };
    // How a life ended is kept behind the answer.
    const auto expect_logged = [&](const char* end) {
        for (const Deadline deadline = Deadline::after(patience(10s));
             log().find(end) == std::string::npos;) {
            ASSERT_FALSE(deadline.expired()) << end << " is missing: " << log();
        }
    };
    const auto end_with = [this](const char* signal) {
        ASSERT_NO_FATAL_FAILURE(await_init("web1"));
        ASSERT_EQ(host->lodge({"kill", "web1", "--signal", signal}).code, 0);
        expect_field("web1", "state", "stopped");
    };
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    EXPECT_EQ(host->field("web1", "last_error"), "");
    ASSERT_NO_FATAL_FAILURE(end_with("USR1"));
    EXPECT_NE(log().find("guest: up"), std::string::npos) << log();
    ASSERT_NO_FATAL_FAILURE(expect_logged(", ended: exit 7 ---"));
    EXPECT_EQ(host->field("web1", "last_error"), "init ended by itself: exit 7");
    const std::string table = host->lodge({"info", "web1"}).out;
    EXPECT_NE(table.find("init ended by itself: exit 7"), std::string::npos) << table;
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    EXPECT_EQ(host->field("web1", "last_error"), "") << "it runs";
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    const auto speaks = [&] { return log().ends_with("guest: up\r\n"); };
    for (const Deadline deadline = Deadline::after(patience(10s)); !speaks();) {
        ASSERT_FALSE(deadline.expired()) << "its own words, though as those before: " << log();
    }
    (void)host->lodge({"exec", "web1", "--", "/bin/guest", "signal-init", "30"}); // it dies too
    host->kill_daemon(); // the next one collects it
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_field("web1", "state", "stopped");
    EXPECT_NE(log().find("exit 7 ---"), std::string::npos) << "the life before too: " << log();
    EXPECT_NE(log().find("guest: power off"), std::string::npos) << log();
    ASSERT_NO_FATAL_FAILURE(expect_logged(", ended: halt ---"));
    EXPECT_EQ(host->field("web1", "last_error"), "") << "a halt is no error";
    EXPECT_NE(host->lodge({"console", "web1"}).code, 0) << "there is nothing to attach to";
    const std::string kept = host->directory() + "/run/consoles/" + host->field("web1", "uuid");
    EXPECT_TRUE(std::filesystem::exists(kept));
    ASSERT_EQ(host->lodge({"destroy", "web1"}).code, 0);
    EXPECT_FALSE(std::filesystem::exists(kept));
}

TEST_F(LifecycleTest, AStartThatFailedIsTold) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "remove", "/sbin/init"}).code, 0);
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    EXPECT_EQ(host->field("web1", "last_error"), "") << "that was asked for";
    EXPECT_NE(host->lodge({"start", "web1"}).code, 0);
    EXPECT_NE(host->field("web1", "last_error").find("/sbin/init"), std::string::npos)
        << host->field("web1", "last_error");
    EXPECT_EQ(host->field("web1", "state"), "stopped");
    EXPECT_NE(host->lodge({"restart", "web1"}).code, 0);
    host->kill_daemon();
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_NE(host->field("web1", "last_error"), "") << "it outlives the daemon";
}

TEST_F(LifecycleTest, AnInitThatFailsOrCrashesIsReportedAsSuch) {
    for (const auto& [signal, how] : {std::pair{"USR1", "exit 7"}, {"USR2", "signal 11"}}) {
        const std::string name =
            std::string("by-") + (signal == std::string("USR1") ? "exit" : "crash");
        const int before = crashes();
        ASSERT_NO_FATAL_FAILURE(make(name));
        ASSERT_NO_FATAL_FAILURE(await_init(name));
        ASSERT_EQ(host->lodge({"kill", name, "--signal", signal}).code, 0);
        expect_field(name, "state", "stopped");
        EXPECT_EQ(host->field(name, "last_exit"), how);
        const Deadline deadline = Deadline::after(patience(10s));
        while (crashes() == before && !deadline.expired()) {
        }
        EXPECT_EQ(crashes(), before + 1) << host->daemon_log();
    }
}

TEST_F(LifecycleTest, TellsTheWantOfMemoryThatEndsInitFromAKill) {
    REQUIRES("cgroup2:memory");
    ASSERT_EQ(
        host->lodge({"create", "web1", "--template", "tiny", "--memory", "32M", "--start"}).code, 0)
        << host->daemon_log();
    EXPECT_EQ(guest("web1", {"eat-memory"}).code, 128 + SIGKILL) << "of its processes, the largest";
    ASSERT_EQ(host->lodge({"kill", "web1"}).code, 0);
    expect_field("web1", "state", "stopped");
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9") << "by order, whatever was before";
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"kill", "web1", "--signal", "TERM"}).code, 0); // it eats memory
    expect_field("web1", "state", "stopped");
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9, out of memory");
}

TEST_F(LifecycleTest, AStopEndsAlsoWhenInitIgnoresIt) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(guest("web1", {"write", "/stubborn", ""}).code, 0);
    const auto begin = std::chrono::steady_clock::now();
    const CliResult stopped = host->lodge({"stop", "web1", "--timeout", "500ms"});
    EXPECT_EQ(stopped.code, 0) << stopped.err;
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 500ms) << "it was asked first";
    EXPECT_EQ(host->field("web1", "state"), "stopped");
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
}

TEST_F(LifecycleTest, AStopAsksInitFirst) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    EXPECT_EQ(host->field("web1", "last_exit"), "halt");
}

TEST_F(LifecycleTest, SurvivesAKillOfTheDaemon) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    const std::string pid = host->field("web1", "pid");
    host->kill_daemon();
    EXPECT_TRUE(kernel::read_file("/proc/" + pid + "/comm", 64));
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "pid"), pid);
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_EQ(guest("web1", {"exit", "3"}).code, 3);
}

TEST_F(LifecycleTest, TheDaemonNotesItsPidWhereScriptsOfHostsWithoutAManagerLook) {
    const std::string file = host->directory() + "/run/lodged.pid";
    const auto noted = [&] { return kernel::read_file(file, 32).value_or("none"); };
    EXPECT_EQ(noted(), std::to_string(host->daemon_pid()) + "\n");
    host->kill_daemon();
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(noted(), std::to_string(host->daemon_pid()) + "\n") << "not the killed one's";
    host->stop_daemon();
    EXPECT_EQ(noted(), "none");
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
}

TEST_F(LifecycleTest, ServesManyClientsAtOnce) {
    std::vector<std::thread> clients;
    std::vector<int> codes(6, -1);
    for (std::size_t i = 0; i < codes.size(); ++i) {
        clients.emplace_back([&, i] {
            codes[i] =
                host->lodge({"create", "c" + std::to_string(i), "--template", "tiny", "--start"})
                    .code;
        });
    }
    for (std::thread& client : clients) {
        client.join();
    }
    EXPECT_EQ(codes, std::vector<int>(codes.size(), 0)) << host->daemon_log();
    const std::string list = host->lodge({"list"}).out;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        EXPECT_NE(list.find("c" + std::to_string(i) + " "), std::string::npos) << list;
    }
}

// The file beside it, with a byte order mark and CR LF.
std::string as_windows_has_it(const std::string& path) {
    std::string text = kernel::read_file(path, 4096).value_or("");
    text.insert(text.find('\n'), "\r");
    std::ofstream(path + ".windows") << "\xEF\xBB\xBF" << text;
    return path + ".windows";
}

TEST_F(LifecycleTest, BootsADistributionThatTakesSsh) {
    if (distribution_tar().empty()) {
        ASSERT_FALSE(everything_is_required()) << "LODGE_TEST_TEMPLATE names no tar";
        GTEST_SKIP() << "LODGE_TEST_TEMPLATE names no tar of a root tree";
    }
    const CliResult imported = host->lodge({"template", "import", "debian", distribution_tar()});
    ASSERT_EQ(imported.code, 0) << imported.err;
    const std::string key = host->directory() + "/key";
    ASSERT_TRUE(kernel::run_program({.path = "ssh-keygen",
                                     .arguments = {"-q", "-t", "ed25519", "-N", "", "-f", key},
                                     .environment = {},
                                     .input = {},
                                     .deadline = Deadline::after(patience(20s))}));
    const CliResult made = host->lodge({"create",
                                        "web1",
                                        "--template",
                                        "debian",
                                        "--ssh-key",
                                        as_windows_has_it(key + ".pub"),
                                        "--password-stdin",
                                        "--wait",
                                        "ready"},
                                       "a secret of theirs\r\n");
    ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    EXPECT_EQ(made.err.find("warning"), std::string::npos) << made.err;
    const std::string text = host->lodge({"info", "web1", "--json"}).out;
    const std::size_t at = text.find('"', text.find('[', text.find("\"addresses\""))) + 1;
    const std::string address = text.substr(at, text.find('/', at) - at);
    const auto entered = kernel::run_program(
        {.path = "ssh",
         .arguments = {"-i",
                       key,
                       "-o",
                       "BatchMode=yes",
                       "-o",
                       "StrictHostKeyChecking=no",
                       "-o",
                       "UserKnownHostsFile=/dev/null",
                       "root@" + address,
                       "hostname; systemctl is-system-running --wait; systemctl --failed"},
         .environment = {},
         .input = {},
         .deadline = Deadline::after(patience(30s))});
    ASSERT_TRUE(entered) << entered.error().to_string();
    EXPECT_EQ(entered->standard_output.substr(0, 13), "web1\nrunning\n")
        << entered->standard_output;
    const CliResult known =
        host->lodge({"ssh", "web1", "--", "-i", key, "-o", "BatchMode=yes", "hostname"});
    EXPECT_EQ(known.code, 0) << known.err;
    EXPECT_EQ(known.out, "web1\n");
    EXPECT_EQ(known.err, "") << "its host key was known";
    EXPECT_EQ(hostname_by_password("a secret of theirs"), "web1\n");
    EXPECT_EQ(hostname_by_password("a guess"), "");
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    EXPECT_EQ(host->field("web1", "last_exit"), "halt") << "systemd halted by itself";
    ASSERT_EQ(host->lodge({"destroy", "web1"}).code, 0);
    ASSERT_EQ(host->lodge({"template", "remove", "debian"}).code, 0);
}

} // namespace

} // namespace lodge::test
