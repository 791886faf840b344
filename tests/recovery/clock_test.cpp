// The host's clock jumps by years, in both directions: no wait depends on it. libfaketime changes
// it only for lodged; the monotonic clocks go on.
#include "tests/support/lodge_host.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

namespace lodge::test {

namespace {

class ClockTest : public LodgeTest {
  protected:
    void prepare_host() override {
        jump("+0");
        host->give_daemons({"LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1", // man 8 ld.so
                            "FAKETIME_TIMESTAMP_FILE=" + offset_file(),
                            "FAKETIME_NO_CACHE=1",
                            "FAKETIME_DONT_FAKE_MONOTONIC=1",
                            "NO_FAKE_STAT=1"});
    }
    void jump(const std::string& offset) {
        std::ofstream(offset_file() + ".new") << offset << "\n";
        std::filesystem::rename(offset_file() + ".new", offset_file()); // atomic
    }
    CliResult create(const std::string& name, const std::vector<std::string>& more) {
        std::vector<std::string> words{
            "create", name, "--template", "tiny", "--disk", "64M", "--start"};
        words.insert(words.end(), more.begin(), more.end());
        return host->lodge(words);
    }
    // The years between the daemon's clock and ours, to check that it has jumped.
    long years_off(const std::string& name) {
        constexpr long kYear = 365L * 24 * 3600;
        return (std::stol(host->field(name, "started_at")) - ::time(nullptr)) / kYear;
    }
    void expect_full_service() {
        const CliResult made = create("other", {});
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
        EXPECT_GE(std::labs(years_off("other")), 9);
        EXPECT_EQ(host->lodge({"exec", "other", "--", "/bin/guest", "exit", "5"}).code, 5);
        EXPECT_EQ(host->lodge({"wait", "other", "--for", "stopped", "--timeout", "200ms"}).code,
                  11);
        ASSERT_NO_FATAL_FAILURE(await_init("other"));
        EXPECT_EQ(host->lodge({"exec", "other", "--", "/bin/guest", "write", "/stubborn", ""}).code,
                  0);
        EXPECT_EQ(host->lodge({"stop", "other", "--timeout", "200ms"}).code, 0);
        EXPECT_EQ(host->field("other", "last_exit"), "signal 9") << "at its deadline";
        EXPECT_EQ(host->lodge({"destroy", "other"}).code, 0);
    }

  private:
    std::string offset_file() const { return host->directory() + "/offset"; }
};

TEST_F(ClockTest, JumpsCostNothing) {
    ASSERT_EQ(create("bystander", {}).code, 0) << host->daemon_log();
    ASSERT_EQ(create("fails", {"--restart", "always", "--restart-backoff", "1s"}).code, 0);
    EXPECT_EQ(years_off("bystander"), 0);
    const std::string init = host->field("bystander", "pid");
    int restarts = 0;
    for (const char* offset : {"+10y", "-10y"}) {
        SCOPED_TRACE(offset);
        ASSERT_EQ(host->lodge({"kill", "fails"}).code, 0);
        jump(offset); // while its next start is awaited
        expect_field("fails", "restarts", std::to_string(++restarts));
        expect_field("fails", "state", "running");
        ASSERT_NO_FATAL_FAILURE(expect_full_service());
        host->kill_daemon();
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
        EXPECT_EQ(host->field("bystander", "pid"), init) << "taken up: no other boot";
        ASSERT_NO_FATAL_FAILURE(expect_full_service());
    }
    EXPECT_EQ(host->lodge({"host", "check"}).code, 0);
}

} // namespace

} // namespace lodge::test
