#include "tests/support/lodge_host.hpp"

#include <poll.h>
#include <sys/wait.h>

namespace lodge::test {

namespace {

/// The daemon is killed some milliseconds into a verb; one that is started afterwards must bring
/// the host into a state in which the verb was done, or never begun.
class KillTest : public LodgeTest, public ::testing::WithParamInterface<int> {
  protected:
    void kill_during(const std::vector<std::string>& verb) {
        const pid_t client = host->lodge_in_background(verb);
        (void)::poll(nullptr, 0, GetParam());
        host->kill_daemon();
        (void)::waitpid(client, nullptr, 0);
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    }
    void expect_usable(const std::string& name) {
        if (host->field(name, "state") != "running") {
            const CliResult started = host->lodge({"start", name});
            ASSERT_EQ(started.code, 0) << started.err << host->daemon_log();
        }
        EXPECT_EQ(host->lodge({"exec", name, "--", "/bin/guest", "exit", "5"}).code, 5)
            << host->daemon_log();
    }
};

TEST_P(KillTest, ACreateIsDoneOrNeverWas) {
    ASSERT_NO_FATAL_FAILURE(kill_during({"create", "web1", "--template", "tiny"}));
    const std::string state = host->field("web1", "state");
    EXPECT_TRUE(state.empty() || state == "stopped") << state;
    if (state.empty()) {
        ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0)
            << host->daemon_log();
    }
    expect_usable("web1");
}

TEST_P(KillTest, AStartIsDoneOrNeverWas) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(kill_during({"start", "web1"}));
    const std::string state = host->field("web1", "state");
    EXPECT_TRUE(state == "running" || state == "stopped") << state << host->daemon_log();
    expect_usable("web1");
}

TEST_P(KillTest, AStopIsDoneOrNeverWas) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--start"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(kill_during({"stop", "web1", "--force"}));
    const std::string state = host->field("web1", "state");
    EXPECT_TRUE(state == "running" || state == "stopped") << state << host->daemon_log();
    expect_usable("web1");
}

TEST_P(KillTest, ADestroyIsDoneOrNeverWas) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--start"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(kill_during({"destroy", "web1", "--force"}));
    if (!host->field("web1", "state").empty()) {
        expect_usable("web1");
    }
}

INSTANTIATE_TEST_SUITE_P(AtMilliseconds, KillTest, ::testing::Values(2, 4, 7, 11, 16, 24, 40));

} // namespace

} // namespace lodge::test
