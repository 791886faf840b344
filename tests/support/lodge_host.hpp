#pragma once

#include "lib/base/unique_fd.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lodge::test {

struct CliResult {
    int code = -1;
    std::string out;
    std::string err;
};

/// Runs a program to its end, up to thirty seconds.
[[nodiscard]] CliResult run_to_end(const std::string& path, std::vector<std::string> arguments);

/// A real lodged with directories of its own, and the CLI to talk to it. The template `tiny` holds
/// the guest program alone.
class LodgeHost {
  public:
    LodgeHost();
    ~LodgeHost();
    LodgeHost(const LodgeHost&) = delete;
    LodgeHost& operator=(const LodgeHost&) = delete;

    /// Starts lodged and waits until it says that it is ready (sd_notify(3)).
    void start_daemon();
    /// The two halves of that.
    void spawn_daemon();
    void await_daemon();
    /// Puts lines behind the configuration of daemons that are spawned from now on.
    void configure(const std::string& lines);
    /// "KEY=value" for each daemon that is spawned from now on.
    void give_daemons(std::vector<std::string> environment);
    /// Daemons that are spawned from now on start without standard streams, and log to nowhere.
    void close_streams_of_daemons() { streams_closed_ = true; }
    /// A daemon that is to give up by itself, and how it did.
    CliResult run_daemon() const;
    /// SIGKILL, as a crash.
    void kill_daemon();
    /// As a power cut: init and monitor of these containers end with the daemon, so that nothing
    /// has a chance to write anything down.
    void cut_power(const std::vector<std::string>& running);
    /// SIGTERM; containers go on.
    void stop_daemon();
    /// Makes the template `tiny`.
    void import_tiny();
    /// Destroys every container.
    void destroy_all();

    /// The lodge command.
    CliResult lodge(std::vector<std::string> arguments, const std::string& input = {}) const;
    /// lodge(), started and not waited for.
    pid_t lodge_in_background(const std::vector<std::string>& arguments) const;
    /// All that commands in the background have printed.
    [[nodiscard]] std::string client_log() const;
    /// A field of `lodge info NAME --json`, as its text: "running", "4711". Empty: there is none.
    std::string field(const std::string& name, const std::string& key) const;

    /// The same of `lodge template info NAME --json`.
    std::string field_of_template(const std::string& name, const std::string& key) const;

    [[nodiscard]] std::string directory() const { return directory_.path(); }
    [[nodiscard]] std::string socket() const { return directory() + "/run/lodged.sock"; }
    [[nodiscard]] pid_t daemon_pid() const { return daemon_; }
    [[nodiscard]] std::string daemon_log() const;

  private:
    TempDir directory_;
    std::string cgroup_; ///< below the cgroup2 mount; this host's alone
    std::string notify_; ///< NOTIFY_SOCKET of the daemon
    UniqueFd readiness_; ///< bound to it
    std::vector<std::string> environment_;
    bool streams_closed_ = false;
    pid_t daemon_ = -1;
};

/// Fixture of the tiers that use the whole: a daemon with the template `tiny`; at the end nothing
/// but what was there before the test may be left.
class LodgeTest : public ::testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;
    /// Called before the first daemon starts.
    virtual void prepare_host() {}
    /// Waits until the guest's init says that it handles signals; an earlier one would be lost.
    void await_init(const std::string& name);
    /// What a script prints in the host's directory, with `lodge` in its path and the socket set; a
    /// failure of any of its commands is the test's.
    std::string shell(const std::string& script) const;
    /// Waits until a field has a value, up to ten seconds.
    void expect_field(const std::string& name, const std::string& key, const std::string& value);

    std::unique_ptr<LodgeHost> host;

  private:
    Inventory before_;
};

/// LodgeTest with a container `web1`, made from `tiny`, that runs.
class RunningContainerTest : public LodgeTest {
  protected:
    void SetUp() override;
};

/// Path of a Debian root tree as a tar (LODGE_TEST_TEMPLATE), or empty.
[[nodiscard]] std::string distribution_tar();

} // namespace lodge::test
