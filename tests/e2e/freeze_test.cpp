#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"

#include <chrono>
#include <string>
#include <tuple>

#include <fcntl.h>
#include <poll.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

class FreezeTest : public LodgeTest {
  protected:
    void make() {
        const CliResult made = host->lodge({"create", "web1", "--template", "tiny", "--start"});
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
        ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    }
    void make_frozen() {
        ASSERT_NO_FATAL_FAILURE(make());
        const CliResult frozen = host->lodge({"freeze", "web1"});
        ASSERT_EQ(frozen.code, 0) << frozen.err << host->daemon_log();
        ASSERT_EQ(host->field("web1", "state"), "frozen");
    }
    // The container's group on the host, as the kernel names it.
    std::string group() {
        const auto text =
            kernel::read_file("/proc/" + host->field("web1", "pid") + "/cgroup", 4096);
        const std::size_t at = text ? text->find("0::") : std::string::npos;
        EXPECT_NE(at, std::string::npos);
        const auto mounts = kernel::read_mountinfo();
        std::string place;
        for (const kernel::MountInfo& mount : *mounts) {
            if (mount.type == "cgroup2" && place.empty()) {
                place = mount.mount_point;
            }
        }
        return place + text->substr(at + 3, text->find('\n', at) - at - 3);
    }
    // What the kernel says: "0" or "1".
    static std::string frozen_in(const std::string& group) {
        const auto text = kernel::read_file(group + "/cgroup.events", 4096);
        const std::size_t at = text ? text->find("frozen ") : std::string::npos;
        return at == std::string::npos ? "?" : text->substr(at + 7, 1);
    }
    static void expect_frozen(const std::string& group, const std::string& value) {
        const Deadline deadline = Deadline::after(patience(10s));
        while (frozen_in(group) != value && !deadline.expired()) {
            (void)::poll(nullptr, 0, 2);
        }
        EXPECT_EQ(frozen_in(group), value);
    }
    int exec_exit_3() {
        return host->lodge({"exec", "web1", "--", "/bin/guest", "exit", "3"}).code;
    }
    void expect_refused(const std::string& verb, const std::string& why) {
        const CliResult refused = host->lodge({verb, "web1"});
        EXPECT_EQ(refused.code, 5) << verb;
        EXPECT_NE(refused.err.find(why), std::string::npos) << refused.err;
    }
};

TEST_F(FreezeTest, HoldsEveryProcessUntilItIsThawed) {
    ASSERT_NO_FATAL_FAILURE(make());
    const std::string pid = host->field("web1", "pid");
    const std::string place = group();
    expect_refused("thaw", "'web1' is not frozen");
    ASSERT_EQ(host->lodge({"freeze", "web1"}).code, 0);
    EXPECT_EQ(frozen_in(place), "1") << "answered before it was so";
    EXPECT_EQ(host->field("web1", "state"), "frozen");
    EXPECT_NE(host->lodge({"list"}).out.find("frozen"), std::string::npos);
    expect_refused("freeze", "is already frozen");
    expect_refused("start", "is already running (frozen)");
    expect_refused("wait", "is frozen; thaw it first");
    EXPECT_EQ(exec_exit_3(), 5);
    EXPECT_NE(host->lodge({"console", "web1", "--log"}).out.find("guest: up"), std::string::npos);
    ASSERT_EQ(host->lodge({"thaw", "web1"}).code, 0);
    EXPECT_EQ(frozen_in(place), "0");
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_EQ(host->field("web1", "pid"), pid);
    EXPECT_EQ(exec_exit_3(), 3);
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    expect_refused("freeze", "is not running");
    expect_refused("thaw", "is not running");
}

TEST_F(FreezeTest, ASignalWaitsUntilItIsThawed) {
    ASSERT_NO_FATAL_FAILURE(make_frozen());
    ASSERT_EQ(host->lodge({"kill", "web1", "--signal", "USR1"}).code, 0);
    EXPECT_EQ(host->field("web1", "state"), "frozen");
    ASSERT_EQ(host->lodge({"thaw", "web1"}).code, 0);
    expect_field("web1", "state", "stopped");
    EXPECT_EQ(host->field("web1", "last_exit"), "exit 7");
}

TEST_F(FreezeTest, AKillEndsItAsItIs) {
    ASSERT_NO_FATAL_FAILURE(make_frozen());
    ASSERT_EQ(host->lodge({"kill", "web1"}).code, 0);
    expect_field("web1", "state", "stopped");
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
}

TEST_F(FreezeTest, AStopLetsInitHearOfIt) {
    ASSERT_NO_FATAL_FAILURE(make_frozen());
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    EXPECT_EQ(host->field("web1", "last_exit"), "halt");
}

TEST_F(FreezeTest, AForcedStopEndsItAsItIs) {
    ASSERT_NO_FATAL_FAILURE(make_frozen());
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    EXPECT_EQ(exec_exit_3(), 3);
}

TEST_F(FreezeTest, ARestartLeavesItRunning) {
    ASSERT_NO_FATAL_FAILURE(make_frozen());
    ASSERT_EQ(host->lodge({"restart", "web1", "--force"}).code, 0);
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_EQ(exec_exit_3(), 3);
}

TEST_F(FreezeTest, AForcedDestroyTakesItAway) {
    ASSERT_NO_FATAL_FAILURE(make_frozen());
    ASSERT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 0);
    EXPECT_EQ(host->lodge({"info", "web1"}).code, 3);
}

TEST_F(FreezeTest, OutlivesTheDaemon) {
    ASSERT_NO_FATAL_FAILURE(make_frozen());
    const std::string pid = host->field("web1", "pid");
    const std::string place = group();
    host->kill_daemon();
    EXPECT_EQ(frozen_in(place), "1");
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "state"), "frozen");
    EXPECT_EQ(frozen_in(place), "1");
    ASSERT_EQ(host->lodge({"thaw", "web1"}).code, 0);
    EXPECT_EQ(host->field("web1", "pid"), pid);
    EXPECT_EQ(exec_exit_3(), 3);
}

TEST_F(FreezeTest, TheNextDaemonMakesTheKernelAsTheRowSays) {
    ASSERT_NO_FATAL_FAILURE(make());
    const std::string place = group();
    for (const auto& [verb, state, other, value] :
         {std::tuple{"freeze", "frozen", "0", "1"}, {"thaw", "running", "1", "0"}}) {
        ASSERT_EQ(host->lodge({verb, "web1"}).code, 0);
        host->kill_daemon();
        ASSERT_TRUE(kernel::write_control(AT_FDCWD, place + "/cgroup.freeze", other));
        expect_frozen(place, other);
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
        EXPECT_EQ(host->field("web1", "state"), state);
        expect_frozen(place, value);
        EXPECT_NE(host->daemon_log().find(std::string("is recorded as ") + state),
                  std::string::npos);
    }
}

} // namespace

} // namespace lodge::test
