// A power cut during an operation, and the next boot of the host.
#include "tests/support/boot_test.hpp"
#include "tests/support/breakpoints.hpp"
#include "tests/support/host_state.hpp"

#include <csignal>
#include <optional>

namespace lodge::test {

namespace {

class CutOffTest : public BootTest {
  protected:
    void prepare_host() override { breakpoints_.emplace(*host); }
    // Begins `words` on the running container `name`, and cuts the power when the operation reaches
    // `point`.
    void
    cut_off(const std::string& name, const std::string& point, std::vector<std::string> words) {
        const pid_t init = init_of(*host, name).pid;
        ASSERT_NE(init, 0) << host->daemon_log();
        const pid_t monitor = parent_of(init);
        breakpoints_->forget();
        breakpoints_->order(SIGKILL, point);
        EXPECT_NE(host->lodge(std::move(words)).code, 0);
        ASSERT_EQ(breakpoints_->await_halt(), Halt::dead) << "it did not come to this point";
        host->kill_daemon();            // reaps
        (void)::kill(monitor, SIGKILL); // and init with it
        EXPECT_TRUE(has_ended(monitor) && has_ended(init));
    }

  private:
    std::optional<Breakpoints> breakpoints_;
};

TEST_F(CutOffTest, AStopIsDoneAndTheBootHasItsSay) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--onboot", "yes"}));
    ASSERT_NO_FATAL_FAILURE(make("web2", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(cut_off("web2", "after kill of stop", {"stop", "web2", "--force"}));
    ASSERT_NO_FATAL_FAILURE(boot("7e57ab1e-0000-4000-8000-000000000003"));
    EXPECT_EQ(host->field("web2", "state"), "stopped") << host->daemon_log();
    EXPECT_EQ(host->field("web2", "start_planned"), "false");

    expect_field("web1", "state", "running");
    ASSERT_NO_FATAL_FAILURE(cut_off("web1", "after kill of stop", {"stop", "web1", "--force"}));
    ASSERT_NO_FATAL_FAILURE(boot("7e57ab1e-0000-4000-8000-000000000004"));
    expect_field("web1", "state", "running");
}

TEST_F(CutOffTest, AStopWithTheHostComesBack) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_NO_FATAL_FAILURE(cut_off("web1", "after kill of stop with host", {"host", "shutdown"}));
    ASSERT_NO_FATAL_FAILURE(boot("7e57ab1e-0000-4000-8000-000000000005"));
    expect_field("web1", "state", "running");
}

TEST_F(CutOffTest, ARestartStartsOnlyWhatABootDoes) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(
        cut_off("web1", "before group of restart", {"restart", "web1", "--force"}));
    ASSERT_NO_FATAL_FAILURE(boot("7e57ab1e-0000-4000-8000-000000000006"));
    expect_field("web1", "state", "running");
    ASSERT_EQ(host->lodge({"set", "web1", "--onboot", "no"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(
        cut_off("web1", "before group of restart", {"restart", "web1", "--force"}));
    ASSERT_NO_FATAL_FAILURE(boot("7e57ab1e-0000-4000-8000-000000000007"));
    EXPECT_EQ(host->field("web1", "state"), "stopped") << host->daemon_log();
}

} // namespace

} // namespace lodge::test
