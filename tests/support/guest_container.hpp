#pragma once

#include "daemon/runtime/runtime.hpp"
#include "lib/base/error.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <string>

namespace lodge::test {

/// All that a start needs, made of tmpfs and the guest program: a "volume" and a "template" as
/// detached mounts, a control group, a run directory. The destructor removes all of it, with the
/// container.
class GuestContainer {
  public:
    GuestContainer();
    ~GuestContainer();
    GuestContainer(const GuestContainer&) = delete;
    GuestContainer& operator=(const GuestContainer&) = delete;

    /// Makes volume, template and group anew; fields of the request may be changed afterwards. Pre:
    /// root and cgroup2.
    [[nodiscard]] Status prepare(bool shared_root = true);
    [[nodiscard]] Result<std::unique_ptr<daemon::StartingContainer>> begin();
    /// begin() and finish().
    [[nodiscard]] Status start();
    /// Waits until init reports on its console that it handles signals.
    [[nodiscard]] Status await_up() { return await_up(*monitor_); }
    [[nodiscard]] static Status await_up(daemon::Monitor& monitor);
    /// A second runtime over the same run directory, as a restarted daemon has it.
    [[nodiscard]] std::unique_ptr<daemon::Runtime> another_runtime() const;
    /// Waits until init has exited, releases the monitor, and returns the exit.
    [[nodiscard]] Result<daemon::InitExit> await_exit();
    /// Waits until the group is empty, up to ten seconds.
    [[nodiscard]] Status await_empty_group() const;

    [[nodiscard]] daemon::Monitor& monitor() { return *monitor_; }
    [[nodiscard]] std::string run_directory() const { return directory_.path() + "/run"; }
    [[nodiscard]] const std::string& group_path() const { return group_path_; }

    daemon::StartRequest request;
    /// Lower layer and volume as detached mounts; a test may put files into them before a start.
    UniqueFd lower;
    UniqueFd volume;

  private:
    TempDir directory_;
    std::string group_path_;
    UniqueFd group_;
    std::unique_ptr<daemon::Runtime> runtime_;
    std::unique_ptr<daemon::Monitor> monitor_;
};

/// Copies a program into a tree.
[[nodiscard]] Status install(const std::string& program, int tree, const std::string& path);
/// Writes a file into a tree.
[[nodiscard]] Status put_file(int tree, const std::string& path, const std::string& content);

} // namespace lodge::test
