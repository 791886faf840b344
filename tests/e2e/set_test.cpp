#include "lib/kernel/fs.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/requires.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace lodge::test {

namespace {

class SetTest : public LodgeTest {
  protected:
    void make(std::vector<std::string> options = {}) {
        std::vector<std::string> words{"create", "web1", "--template", "tiny"};
        words.insert(words.end(), options.begin(), options.end());
        const CliResult made = host->lodge(words);
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    }
    std::string file(const std::string& path) {
        return host->lodge({"exec", "web1", "--", "/bin/guest", "cat", path}).out;
    }
    // The group of the running container, as the guest's own root of cgroup2 shows it.
    std::string limit(const std::string& name) { return file("/sys/fs/cgroup/" + name); }
    void set(std::vector<std::string> options) {
        options.insert(options.begin(), {"set", "web1"});
        const CliResult changed = host->lodge(options);
        ASSERT_EQ(changed.code, 0) << changed.err << host->daemon_log();
    }
    void restart() { ASSERT_EQ(host->lodge({"restart", "web1", "--force"}).code, 0); }
};

TEST_F(SetTest, ChangesWhenItStartsByItself) {
    ASSERT_NO_FATAL_FAILURE(make({"--onboot", "no", "--bootorder", "7", "--start"}));
    ASSERT_NO_FATAL_FAILURE(
        set({"--onboot", "yes", "--restart", "on-failure", "--restart-backoff", "0"}));
    EXPECT_EQ(host->field("web1", "onboot"), "yes");
    EXPECT_EQ(host->field("web1", "bootorder"), "7") << "what is not given stays";
    ASSERT_EQ(host->lodge({"kill", "web1"}).code, 0);
    expect_field("web1", "restarts", "1");
    expect_field("web1", "state", "running");
    EXPECT_EQ(host->lodge({"set", "web1", "--bootorder", "10000"}).code, 2);
    EXPECT_EQ(host->lodge({"set", "web1", "--restart-backoff=-1s"}).code, 2);
    EXPECT_EQ(host->lodge({"set", "web1", "--onboot", "maybe"}).code, 2);
}

// Nothing is silently weaker than asked, also where the operator has allowed it.
TEST_F(SetTest, SaysWhichLimitsDoNotHoldHere) {
    host->stop_daemon();
    std::ofstream(host->directory() + "/lodge.yaml", std::ios::app) << "limits: best-effort\n";
    host->start_daemon();
    std::string told;
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{
              "create", "web1", "--template", "tiny", "--disk", "64M", "--memory", "512M"},
          {"set", "web1", "--memory", "256M"},
          {"set", "web1", "--onboot", "no"}}) {
        const CliResult done = host->lodge(words);
        EXPECT_EQ(done.code, 0) << done.err;
        told += done.err;
    }
    const auto info = nlohmann::json::parse(host->lodge({"host", "info", "--json"}).out);
    const auto controllers = info.at("cgroup").at("controllers").get<std::vector<std::string>>();
    const bool holds =
        std::find(controllers.begin(), controllers.end(), "memory") != controllers.end();
    const std::string warning = "lodge: warning: the limit of memory will not hold on this host: ";
    std::size_t warnings = 0;
    for (std::size_t at = told.find(warning); at != std::string::npos;
         at = told.find(warning, at + 1)) {
        ++warnings;
    }
    EXPECT_EQ(warnings, holds ? 0U : 2U) << told;
    const auto one = nlohmann::json::parse(host->lodge({"info", "web1", "--json"}).out);
    EXPECT_EQ(one.at("limits_not_enforced").dump(), holds ? "[]" : "[\"memory\"]");
    const std::string shown = host->lodge({"info", "web1"}).out;
    const std::size_t at = shown.find("limit 256M");
    ASSERT_NE(at, std::string::npos) << shown;
    const std::string line = shown.substr(at, shown.find('\n', at) - at);
    EXPECT_EQ(line == "limit 256M", holds) << line;
}

TEST_F(SetTest, GivesAnotherHostNameAtTheNextStart) {
    ASSERT_NO_FATAL_FAILURE(make({"--start"}));
    EXPECT_EQ(file("/etc/hostname"), "web1\n");
    ASSERT_NO_FATAL_FAILURE(set({"--hostname", "shop.example.org"}));
    EXPECT_EQ(host->field("web1", "hostname"), "shop.example.org");
    EXPECT_EQ(file("/proc/sys/kernel/hostname"), "web1\n");
    ASSERT_NO_FATAL_FAILURE(restart());
    EXPECT_EQ(file("/proc/sys/kernel/hostname"), "shop.example.org\n");
    EXPECT_EQ(file("/etc/hostname"), "shop.example.org\n");
    // What the tenant makes of it later is the tenant's.
    ASSERT_EQ(
        host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/etc/hostname", "own.example.o"})
            .code,
        0);
    const std::string own = file("/etc/hostname");
    ASSERT_NO_FATAL_FAILURE(restart());
    EXPECT_EQ(file("/etc/hostname"), own);
}

TEST_F(SetTest, FollowsNothingInATreeOfATenant) {
    ASSERT_NO_FATAL_FAILURE(make({"--start"}));
    const std::string outside = host->directory() + "/outside";
    ASSERT_TRUE(kernel::make_directory(outside, 0777));
    for (const auto& command :
         {std::vector<std::string>{"rename", "/etc", "/was-etc"}, {"link", outside, "/etc"}}) {
        std::vector<std::string> words{"exec", "web1", "--", "/bin/guest"};
        words.insert(words.end(), command.begin(), command.end());
        const CliResult done = host->lodge(words);
        ASSERT_EQ(done.code, 0) << done.err;
    }
    ASSERT_NO_FATAL_FAILURE(set({"--hostname", "other"}));
    ASSERT_NO_FATAL_FAILURE(restart());
    EXPECT_FALSE(kernel::read_file(outside + "/hostname", 256));
    EXPECT_EQ(file("/proc/sys/kernel/hostname"), "other\n");
}

TEST_F(SetTest, LastsOverTheDaemonAndReachesTheRecord) {
    ASSERT_NO_FATAL_FAILURE(make());
    ASSERT_NO_FATAL_FAILURE(set({"--hostname", "other"}));
    const std::string image = host->field("web1", "image");
    host->stop_daemon(); // what is behind the answer ends first
    const auto record =
        kernel::read_file(image.substr(0, image.rfind('/')) + "/container.json", 65536);
    ASSERT_TRUE(record) << record.error().to_string();
    EXPECT_NE(record->find("\"other\""), std::string::npos);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "hostname"), "other");
}

TEST_F(SetTest, ChangesTheLimitsOfARunningContainer) {
    REQUIRES("cgroup2:memory");
    REQUIRES("cgroup2:cpu");
    REQUIRES("cgroup2:pids");
    ASSERT_NO_FATAL_FAILURE(make({"--memory", "64M", "--start"}));
    ASSERT_NO_FATAL_FAILURE(set({"--memory", "128M", "--cpus", "1.5", "--pids", "40"}));
    EXPECT_EQ(limit("memory.max"), "134217728\n");
    EXPECT_EQ(limit("cpu.max"), "150000 100000\n");
    EXPECT_EQ(limit("pids.max"), "40\n");
    ASSERT_NO_FATAL_FAILURE(restart());
    EXPECT_EQ(limit("memory.max"), "134217728\n");
    ASSERT_NO_FATAL_FAILURE(set({"--memory", "none", "--cpus", "none", "--pids", "none"}));
    EXPECT_EQ(limit("memory.max"), "max\n");
    EXPECT_EQ(limit("memory.swap.max"), "max\n");
    EXPECT_EQ(limit("cpu.max"), "max 100000\n");
    EXPECT_EQ(limit("pids.max"), "max\n");
    EXPECT_EQ(host->field("web1", "memory_bytes"), "");
}

// As create does: never a limit that nobody holds.
TEST_F(SetTest, RefusesALimitThatThisHostCannotEnforce) {
    ASSERT_NO_FATAL_FAILURE(make());
    const bool enforced = missing("cgroup2:memory").empty();
    const CliResult changed = host->lodge({"set", "web1", "--memory", "64M"});
    EXPECT_EQ(changed.code, enforced ? 0 : 8) << changed.err;
    EXPECT_EQ(host->field("web1", "memory_bytes"), enforced ? "67108864" : "");
    EXPECT_EQ(host->lodge({"set", "web1", "--memory", "none"}).code, 0);
}

// To destroy it and to lift the protection are two steps.
TEST_F(SetTest, ProtectsFromADestroy) {
    ASSERT_NO_FATAL_FAILURE(make({"--protect", "yes", "--start"}));
    for (const std::vector<std::string>& words : {std::vector<std::string>{"destroy", "web1"},
                                                  {"destroy", "web1", "--force"},
                                                  {"destroy", "--all", "--force"}}) {
        const CliResult refused = host->lodge(words);
        EXPECT_EQ(refused.code, 5) << refused.err;
        EXPECT_NE(refused.err.find("'web1' is protected; `lodge set web1 --protect no`"),
                  std::string::npos)
            << refused.err;
    }
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_EQ(host->lodge({"list", "--columns", "name,protect", "--format", "csv"}).out,
              "name,protect\r\nweb1,yes\r\n");
    const std::string info = host->lodge({"info", "web1"}).out;
    EXPECT_TRUE(std::regex_search(info, std::regex("protected +yes\n"))) << info;
    ASSERT_EQ(host->lodge({"create", "web2", "--template", "tiny", "--disk", "64M"}).code, 0);
    const CliResult some = host->lodge({"destroy", "--all", "--force"});
    EXPECT_EQ(some.code, 23) << "the others go: " << some.err;
    EXPECT_EQ(host->lodge({"list", "--filter", "protect=yes", "--columns", "name"}).out,
              "NAME\nweb1\n");
    host->stop_daemon(); // it is not forgotten
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 5);
    EXPECT_EQ(host->lodge({"set", "web1", "--protect", "maybe"}).code, 2);
    ASSERT_NO_FATAL_FAILURE(set({"--protect", "no"}));
    EXPECT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 0);
}

TEST_F(SetTest, RefusesWhatIsNoChange) {
    ASSERT_NO_FATAL_FAILURE(make());
    EXPECT_EQ(host->lodge({"set", "web1"}).code, 2);
    EXPECT_EQ(host->lodge({"set", "nobody", "--hostname", "x"}).code, 3);
    for (const auto& [option, value] : {std::pair{"--memory", "1"},
                                        {"--memory", "much"},
                                        {"--cpus", "0"},
                                        {"--cpus", "0.001"},
                                        {"--pids", "3"},
                                        {"--hostname", "a b"}}) {
        const CliResult refused = host->lodge({"set", "web1", option, value});
        EXPECT_EQ(refused.code, 2) << option << " " << value << ": " << refused.err;
    }
    EXPECT_EQ(host->field("web1", "hostname"), "web1");
}

} // namespace

} // namespace lodge::test
