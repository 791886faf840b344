// A stop that waits for its init outlives the daemon: the next daemon continues the wait, and does
// not kill init before its timeout.
#include "lib/base/clock.hpp"
#include "tests/support/breakpoints.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"

#include <chrono>
#include <csignal>
#include <optional>
#include <string>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

class StopOutlivesTest : public LodgeTest {
  protected:
    void prepare_host() override { breakpoints_.emplace(*host); }
    void make_stubborn() {
        ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--start"}).code, 0)
            << host->daemon_log();
        ASSERT_NO_FATAL_FAILURE(await_init("web1"));
        ASSERT_EQ(run_inside({"write", "/stubborn", ""}), 0);
        init_ = host->field("web1", "pid");
    }
    // The daemon dies as soon as it has noted that it is going to ask init to halt.
    void cut_off(std::vector<std::string> words, const std::string& verb) {
        breakpoints_->forget();
        breakpoints_->order(SIGKILL, "after halt of " + verb);
        EXPECT_EQ(host->lodge(std::move(words)).code, 1);
        ASSERT_EQ(breakpoints_->await_halt(), Halt::dead);
        host->kill_daemon(); // reaps
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    }
    void await_refusals(std::size_t count) {
        const Deadline deadline = Deadline::after(patience(10s));
        while (refusals() < count) {
            ASSERT_FALSE(deadline.expired()) << host->daemon_log();
        }
    }
    void halt_inside() {
        ASSERT_EQ(run_inside({"remove", "/stubborn"}), 0);
        (void)run_inside({"signal-init", std::to_string(SIGPWR)}); // may end with the container
    }
    int run_inside(std::vector<std::string> command) {
        std::vector<std::string> words{"exec", "web1", "--", "/bin/guest"};
        words.insert(words.end(), command.begin(), command.end());
        return host->lodge(words).code;
    }
    [[nodiscard]] const std::string& init() const { return init_; }

  private:
    std::size_t refusals() {
        const std::string said = host->lodge({"console", "web1", "--log"}).out;
        std::size_t count = 0;
        for (std::size_t at = 0; (at = said.find("I will not", at)) != std::string::npos; ++at) {
            ++count;
        }
        return count;
    }

    std::optional<Breakpoints> breakpoints_;
    std::string init_;
};

TEST_F(StopOutlivesTest, InitHasTheTimeThatItWasGiven) {
    ASSERT_NO_FATAL_FAILURE(make_stubborn());
    ASSERT_NO_FATAL_FAILURE(cut_off({"stop", "web1", "--timeout", "1h"}, "stop"));
    ASSERT_NO_FATAL_FAILURE(await_refusals(1));
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_EQ(host->field("web1", "busy_with"), "stop");
    EXPECT_EQ(host->field("web1", "pid"), init());
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 6); // as while any other stop goes on
    host->kill_daemon();                               // and one after the other
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    ASSERT_NO_FATAL_FAILURE(await_refusals(2));
    ASSERT_NO_FATAL_FAILURE(halt_inside());
    ASSERT_NO_FATAL_FAILURE(expect_field("web1", "state", "stopped"));
    EXPECT_EQ(host->field("web1", "last_exit"), "halt");
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

TEST_F(StopOutlivesTest, AndNoLonger) {
    ASSERT_NO_FATAL_FAILURE(make_stubborn());
    ASSERT_NO_FATAL_FAILURE(cut_off({"stop", "web1", "--timeout", "1s"}, "stop"));
    ASSERT_NO_FATAL_FAILURE(expect_field("web1", "state", "stopped"));
    EXPECT_EQ(host->field("web1", "last_exit"), "signal 9");
}

TEST_F(StopOutlivesTest, ARestartStartsAgain) {
    ASSERT_NO_FATAL_FAILURE(make_stubborn());
    ASSERT_NO_FATAL_FAILURE(cut_off({"restart", "web1", "--timeout", "1h"}, "restart"));
    ASSERT_NO_FATAL_FAILURE(await_refusals(1));
    EXPECT_EQ(host->field("web1", "pid"), init());
    ASSERT_NO_FATAL_FAILURE(halt_inside());
    ASSERT_NO_FATAL_FAILURE(expect_field("web1", "busy_with", ""));
    ASSERT_NO_FATAL_FAILURE(expect_field("web1", "state", "running"));
    EXPECT_NE(host->field("web1", "pid"), init());
}

TEST_F(StopOutlivesTest, ThatOfAHostOnItsWayDownToo) {
    ASSERT_NO_FATAL_FAILURE(make_stubborn());
    ASSERT_NO_FATAL_FAILURE(cut_off({"host", "shutdown"}, "stop with host"));
    ASSERT_NO_FATAL_FAILURE(await_refusals(1));
    EXPECT_EQ(host->field("web1", "state"), "running");
    ASSERT_NO_FATAL_FAILURE(halt_inside());
    ASSERT_NO_FATAL_FAILURE(expect_field("web1", "state", "stopped"));
    EXPECT_EQ(host->lodge({"host", "startup"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(expect_field("web1", "state", "running"));
}

} // namespace

} // namespace lodge::test
