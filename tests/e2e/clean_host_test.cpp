// `lodged --clean-host`: what an uninstallation removes from the host, and what it leaves.
#include "lib/kernel/mount.hpp"
#include "tests/support/host_state.hpp"
#include "tests/support/lodge_host.hpp"

#include <filesystem>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class CleanHostTest : public RunningContainerTest {
  protected:
    CliResult clean() const {
        return run_to_end(LODGE_BIN_DIR "/lodged",
                          {"--clean-host",
                           "--config",
                           host->directory() + "/lodge.yaml",
                           "--state-dir",
                           host->directory() + "/state",
                           "--run-dir",
                           host->directory() + "/run"});
    }
    static bool has_bridge() { return run_to_end("ip", {"link", "show", "lodge0"}).code == 0; }
    static std::string tables() { return run_to_end("nft", {"list", "tables"}).out; }
    std::string group() const {
        const std::string told = shell("grep ^cgroup: lodge.yaml");
        const auto mounts = kernel::read_mountinfo().value();
        for (const kernel::MountInfo& mount : mounts) {
            if (mount.type == "cgroup2") {
                return mount.mount_point + told.substr(8, told.find('\n') - 8);
            }
        }
        return "";
    }
};

TEST_F(CleanHostTest, RemovesWhatLodgedMadeAndNoData) {
    const ProcessIdentity init = init_of(*host, "web1");
    const CliResult beside = clean();
    EXPECT_EQ(beside.code, 1);
    EXPECT_TRUE(contains(beside.err, "another lodged already works on")) << beside.err;

    host->stop_daemon();
    const CliResult refused = clean();
    EXPECT_EQ(refused.code, 1);
    EXPECT_TRUE(contains(refused.err, " runs; nothing was removed")) << refused.err;
    EXPECT_TRUE(has_bridge() && contains(tables(), "table bridge lodge"));
    EXPECT_EQ(identify(init.pid), init);

    host->start_daemon();
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    host->stop_daemon();
    ASSERT_TRUE(has_bridge() && contains(tables(), "table inet lodge"));
    ASSERT_TRUE(fs::exists(group() + "/daemon"));
    for (const char* again : {"", "again: "}) {
        const CliResult cleaned = clean();
        ASSERT_EQ(cleaned.code, 0) << again << cleaned.err;
        EXPECT_TRUE(contains(cleaned.out, "with 1 volume(s), 1 template(s)")) << cleaned.out;
        EXPECT_TRUE(contains(cleaned.out, "rm -rf " + host->directory() + "/state"));
        EXPECT_FALSE(has_bridge());
        EXPECT_FALSE(contains(tables(), "lodge")) << tables();
        EXPECT_FALSE(fs::exists(group()));
        EXPECT_FALSE(fs::exists(host->directory() + "/run"));
    }

    host->start_daemon(); // makes it anew, over the data that stayed
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

// Those of a daemon with another state directory, which may be down.
TEST_F(CleanHostTest, RefusesWhileAnothersContainersHaveCards) {
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    host->stop_daemon();
    shell("ip link add ve-0123456789ab type veth peer name other0 && "
          "ip link set ve-0123456789ab master lodge0");
    const CliResult refused = clean();
    EXPECT_EQ(refused.code, 1);
    EXPECT_TRUE(contains(refused.err, "the card 've-0123456789ab' belongs to no container"))
        << refused.err;
    EXPECT_TRUE(has_bridge() && contains(tables(), "table inet lodge"));
    EXPECT_TRUE(fs::exists(group() + "/daemon"));
    shell("ip link delete ve-0123456789ab");
    host->start_daemon();
}

} // namespace

} // namespace lodge::test
