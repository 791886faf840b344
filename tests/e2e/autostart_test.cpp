#include "tests/support/boot_test.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/replaced_file.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

class AutostartTest : public BootTest {
  protected:
    void crash(const std::string& name) {
        ASSERT_EQ(host->lodge({"kill", name}).code, 0) << host->daemon_log();
    }
    std::size_t place_in_log(const std::string& what) { return host->daemon_log().rfind(what); }
    // When this daemon began to start it, in Unix milliseconds: how long a start takes says nothing
    // of the order.
    std::int64_t start_of(const std::string& name) {
        const CliResult listed = host->lodge({"operation", "list", "--all", "--json"});
        for (const auto& one : nlohmann::json::parse(listed.out)) {
            if (one.value("verb", "") == "start" && one.value("resource", "") == name) {
                return one.value("started_at_ms", std::int64_t{0});
            }
        }
        ADD_FAILURE() << name << " was not started: " << listed.out;
        return 0;
    }
};

TEST_F(AutostartTest, RestartsWhatFailsAndLeavesWhatHalts) {
    ASSERT_NO_FATAL_FAILURE(
        make("web1", {"--restart", "on-failure", "--restart-backoff", "0", "--start"}));
    const std::string first = host->field("web1", "pid");
    ASSERT_NO_FATAL_FAILURE(crash("web1"));
    expect_field("web1", "restarts", "1");
    expect_field("web1", "state", "running");
    EXPECT_NE(host->field("web1", "pid"), first);
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    EXPECT_EQ(host->field("web1", "restarts"), "0");
    EXPECT_EQ(host->field("web1", "start_planned"), "false");
}

TEST_F(AutostartTest, GivesUpAtTheLimit) {
    ASSERT_NO_FATAL_FAILURE(
        make("web1",
             {"--restart", "always", "--restart-limit", "1", "--restart-backoff", "0", "--start"}));
    ASSERT_NO_FATAL_FAILURE(crash("web1"));
    expect_field("web1", "restarts", "1");
    expect_field("web1", "state", "running");
    ASSERT_NO_FATAL_FAILURE(crash("web1"));
    expect_field("web1", "state", "stopped");
    EXPECT_EQ(host->field("web1", "start_planned"), "false");
    EXPECT_NE(host->daemon_log().find("gave up"), std::string::npos);
}

TEST_F(AutostartTest, APlannedRestartOutlivesTheDaemon) {
    ASSERT_NO_FATAL_FAILURE(
        make("web1", {"--restart", "on-failure", "--restart-backoff", "2s", "--start"}));
    ASSERT_NO_FATAL_FAILURE(crash("web1"));
    expect_field("web1", "start_planned", "true");
    host->kill_daemon();
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_field("web1", "state", "running");
}

TEST_F(AutostartTest, AStopCallsAPlannedRestartOff) {
    ASSERT_NO_FATAL_FAILURE(
        make("web1", {"--restart", "always", "--restart-backoff", "5m", "--start"}));
    ASSERT_NO_FATAL_FAILURE(crash("web1"));
    expect_field("web1", "start_planned", "true");
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
    EXPECT_EQ(host->lodge({"stop", "web1"}).code, 0) << host->daemon_log();
    EXPECT_EQ(host->field("web1", "start_planned"), "false");
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
    EXPECT_EQ(host->lodge({"stop", "web1"}).code, 5);
}

TEST_F(AutostartTest, ABootBringsUpWhatShouldRunInItsOrder) {
    ASSERT_NO_FATAL_FAILURE(make("always", {"--onboot", "yes", "--bootorder", "1"}));
    ASSERT_NO_FATAL_FAILURE(make("never", {"--onboot", "no", "--start"}));
    ASSERT_NO_FATAL_FAILURE(make("ran", {"--bootorder", "9", "--boot-delay", "1s", "--start"}));
    ASSERT_NO_FATAL_FAILURE(make("rested", {}));
    ASSERT_NO_FATAL_FAILURE(host->cut_power({"never", "ran"}));
    ASSERT_NO_FATAL_FAILURE(boot("7e57ab1e-0000-4000-8000-000000000001"));
    expect_field("always", "state", "running");
    expect_field("ran", "state", "running");
    EXPECT_EQ(host->field("never", "state"), "stopped");
    EXPECT_EQ(host->field("never", "last_exit"), "host was booted");
    EXPECT_EQ(host->field("rested", "state"), "stopped");
    EXPECT_LT(start_of("ran"), start_of("always")) << host->daemon_log();

    // The same boot brings up nothing twice.
    ASSERT_EQ(host->lodge({"stop", "always", "--force"}).code, 0);
    host->kill_daemon();
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("always", "state"), "stopped");
    EXPECT_EQ(host->field("always", "start_planned"), "false");
}

TEST_F(AutostartTest, AShutdownStopsInReverseOrderAndABootBringsBack) {
    ASSERT_NO_FATAL_FAILURE(make("first", {"--bootorder", "9", "--start"}));
    ASSERT_NO_FATAL_FAILURE(make("last", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(make("never", {"--onboot", "no", "--start"}));
    const CliResult down = host->lodge({"host", "shutdown", "--timeout", "10s"});
    ASSERT_EQ(down.code, 0) << down.err << host->daemon_log();
    for (const char* name : {"first", "last", "never"}) {
        EXPECT_EQ(host->field(name, "state"), "stopped");
    }
    EXPECT_LT(place_in_log("'last' stopped"), place_in_log("'first' stopped"))
        << host->daemon_log();

    host->stop_daemon();
    ASSERT_NO_FATAL_FAILURE(boot("7e57ab1e-0000-4000-8000-000000000002"));
    expect_field("first", "state", "running");
    expect_field("last", "state", "running");
    EXPECT_EQ(host->field("never", "state"), "stopped");
}

TEST_F(AutostartTest, AShutdownWaitsForTheVerbThatIsUnderWay) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/stubborn", ""}).code, 0);
    CliProcess restart(*host, {"restart", "web1", "--timeout", "1s"}, CliStreams{});
    expect_field("web1", "busy_with", "restart");
    const CliResult down =
        host->lodge({"host", "shutdown", "--timeout", std::to_string(patience(2s).count()) + "ms"});
    EXPECT_EQ(down.code, 0) << down.err << host->daemon_log();
    EXPECT_EQ(restart.wait(), 0);
    EXPECT_EQ(host->field("web1", "state"), "stopped") << host->daemon_log();
}

TEST_F(AutostartTest, AShutdownStopsWhatIsBeingStarted) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {}));
    const std::string monitor = LODGE_BIN_DIR "/lodge-monitor";
    const std::string real = host->directory() + "/lodge-monitor";
    std::filesystem::copy(monitor, real);
    {
        const ReplacedFile slow(monitor, "#!/bin/sh\nsleep 2\nexec " + real + " \"$@\"\n", 0755);
        CliProcess start(*host, {"start", "web1"}, CliStreams{});
        expect_field("web1", "busy_with", "start");
        const CliResult down = host->lodge({"host", "shutdown", "--timeout", "20s"});
        EXPECT_EQ(down.code, 0) << down.err << host->daemon_log();
        EXPECT_EQ(host->field("web1", "state"), "stopped") << host->daemon_log();
        EXPECT_EQ(start.wait(), 0) << host->daemon_log();
    }
    EXPECT_EQ(host->field("web1", "state"), "stopped") << host->daemon_log();
    ASSERT_EQ(host->lodge({"host", "startup"}).code, 0);
    expect_field("web1", "state", "running"); // it was up as the host went down
}

TEST_F(AutostartTest, AShutdownLetsNobodyStartMeanwhile) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(make("web2", {}));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/stubborn", ""}).code, 0);
    CliProcess down(*host, {"host", "shutdown", "--timeout", "3s"}, CliStreams{});
    expect_field("web1", "busy_with", "stop with host");
    const std::vector<std::vector<std::string>> late{
        {"start", "web2"}, {"create", "web3", "--template", "tiny", "--start"}};
    for (const auto& words : late) {
        const CliResult refused = host->lodge(words);
        EXPECT_EQ(refused.code, 5) << refused.err;
        EXPECT_NE(refused.err.find("being shut down"), std::string::npos) << refused.err;
    }
    EXPECT_EQ(host->field("web3", "state"), "");
    EXPECT_EQ(down.wait(), 0) << host->daemon_log();
    EXPECT_EQ(host->lodge({"start", "web2"}).code, 0) << "the host is still there";
}

TEST_F(AutostartTest, StartupBringsBackWithoutABoot) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(make("web2", {}));
    ASSERT_EQ(host->lodge({"host", "shutdown"}).code, 0);
    const CliResult up = host->lodge({"host", "startup"});
    EXPECT_EQ(up.code, 0) << up.err;
    EXPECT_NE(up.err.find("to start: 1"), std::string::npos) << up.err;
    expect_field("web1", "state", "running");
    EXPECT_EQ(host->field("web2", "state"), "stopped");
}

TEST_F(AutostartTest, RefusesBadPolicies) {
    const std::vector<std::vector<std::string>> bad{{"--onboot", "maybe"},
                                                    {"--bootorder", "10000"},
                                                    {"--bootorder=-1"},
                                                    {"--bootorder", "1x"},
                                                    {"--boot-delay", "2h"},
                                                    {"--boot-delay", "100ms"},
                                                    {"--restart", "sometimes"},
                                                    {"--restart-limit", "many"},
                                                    {"--restart-backoff=-5s"},
                                                    {"--restart-backoff", "301s"}};
    for (const auto& options : bad) {
        std::vector<std::string> words{"create", "web1", "--template", "tiny"};
        words.insert(words.end(), options.begin(), options.end());
        const CliResult refused = host->lodge(words);
        EXPECT_EQ(refused.code, 2) << options[0] << ": " << refused.err;
        EXPECT_NE(refused.err, "");
    }
    EXPECT_EQ(host->lodge({"host", "shutdown", "--timeout", "soon"}).code, 2);
    EXPECT_EQ(host->lodge({"list", "--json"}).out, "[]\n");
}

} // namespace

} // namespace lodge::test
