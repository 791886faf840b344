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

/// A real lodged with directories of its own, and its CLI. The template `tiny` has only the guest
/// program.
class LodgeHost {
  public:
    LodgeHost();
    ~LodgeHost();
    LodgeHost(const LodgeHost&) = delete;
    LodgeHost& operator=(const LodgeHost&) = delete;

    /// Starts lodged and waits until it reports that it is ready (sd_notify(3)).
    void start_daemon();
    /// The two halves of start_daemon().
    void spawn_daemon();
    void await_daemon();
    /// Appends lines to the configuration of daemons that are spawned from now on.
    void configure(const std::string& lines);
    /// "KEY=value" for each daemon that is spawned from now on.
    void give_daemons(std::vector<std::string> environment);
    /// Daemons that are spawned from now on start without standard streams, and so without a log.
    void close_streams_of_daemons() { streams_closed_ = true; }
    /// Runs a daemon that must end by itself. Returns its exit.
    CliResult run_daemon() const;
    /// Crash: SIGKILL.
    void kill_daemon();
    /// Power cut: init and monitor of these containers end with the daemon, so that no process can
    /// record anything.
    void cut_power(const std::vector<std::string>& running);
    /// SIGTERM; containers go on.
    void stop_daemon();
    /// Makes the template `tiny`.
    void import_tiny();
    /// Destroys every container.
    void destroy_all();

    /// The lodge command.
    CliResult lodge(std::vector<std::string> arguments, const std::string& input = {}) const;
    /// Starts lodge() and does not wait for it.
    pid_t lodge_in_background(const std::vector<std::string>& arguments) const;
    /// The output of all commands in the background.
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
    std::string cgroup_; ///< below the cgroup2 mount; used only by this host
    std::string notify_; ///< NOTIFY_SOCKET of the daemon
    UniqueFd readiness_; ///< bound to it
    std::vector<std::string> environment_;
    bool streams_closed_ = false;
    pid_t daemon_ = -1;
};

/// Fixture of the tiers that use the whole program: a daemon with the template `tiny`. Fails the
/// test when it leaves objects behind.
class LodgeTest : public ::testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;
    /// Called before the first daemon starts.
    virtual void prepare_host() {}
    /// Waits until the guest's init reports that it handles signals; an earlier signal would be
    /// lost.
    void await_init(const std::string& name);
    /// Runs a script in the host's directory, with `lodge` in its PATH and the socket set, and
    /// returns its output. The test fails when a command of the script fails.
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
