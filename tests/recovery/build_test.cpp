// A build of a template that is interrupted: no process and no file of the builder is left.
#include "lib/base/clock.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/replaced_file.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include <poll.h>
#include <sys/stat.h>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class BuildTest : public LodgeTest {
  protected:
    // Replaces mmdebstrap: makes a temporary directory as mmdebstrap does, holds a lock during its
    // life, and never ends.
    void SetUp() override {
        LodgeTest::SetUp();
        ASSERT_EQ(::mkfifo(file("never").c_str(), 0600), 0);
        builder_.emplace("/usr/bin/mmdebstrap",
                         "#!/bin/sh\nmktemp -d -t mmdebstrap.XXXXXXXX >" + file("told") +
                             "\nexec 9>" + file("held") + "\nflock 9\n: >" + file("begun") +
                             "\nread -r line <" + file("never") + "\n",
                         0755);
    }
    void TearDown() override {
        builder_.reset();
        LodgeTest::TearDown();
    }
    std::string file(const std::string& name) const { return host->directory() + "/" + name; }
    void await_builder() const {
        const Deadline deadline = Deadline::after(patience(10s));
        while (!fs::exists(file("begun"))) {
            ASSERT_FALSE(deadline.expired()) << host->daemon_log();
            (void)::poll(nullptr, 0, 5);
        }
    }
    void expect_nothing_left() const {
        const auto lock = run_to_end("flock", {"--wait", "10", file("held"), "true"});
        EXPECT_EQ(lock.code, 0) << "the builder lives on";
        const std::string scratch = shell("cat told");
        ASSERT_TRUE(scratch.starts_with(host->directory() + "/state/templates/.work-")) << scratch;
        EXPECT_EQ(shell("ls -A state/templates | grep ^.work || true"), "");
        EXPECT_EQ(host->lodge({"template", "info", "debian-12"}).code, 3);
    }

  private:
    std::optional<ReplacedFile> builder_;
};

TEST_F(BuildTest, IsCancelledAndLeavesNothing) {
    CliProcess build(*host, {"template", "build", "debian-12"}, CliStreams{});
    ASSERT_NO_FATAL_FAILURE(await_builder());
    shell("lodge operation cancel $(lodge operation list --json | grep -oE '[0-9a-f-]{36}' | "
          "head -n 1)");
    EXPECT_EQ(build.wait(), 12);
    expect_nothing_left();
}

TEST_F(BuildTest, EndsWithAKilledDaemonAndLeavesNothingToTheNextOne) {
    CliProcess build(*host, {"template", "build", "debian-12"}, CliStreams{});
    ASSERT_NO_FATAL_FAILURE(await_builder());
    host->kill_daemon();
    EXPECT_EQ(run_to_end("flock", {"--wait", "10", file("held"), "true"}).code, 0)
        << "the builder lives on";
    EXPECT_NE(build.wait(), 0);
    host->start_daemon();
    expect_nothing_left();
}

} // namespace

} // namespace lodge::test
