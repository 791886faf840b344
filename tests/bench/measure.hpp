#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lodge::bench {

using Words = std::vector<std::string>;

/// Milliseconds on CLOCK_MONOTONIC.
[[nodiscard]] double now_ms();

/// Where programs' output goes from now on.
void log_to(const std::string& path);
/// Starts a program found in PATH, its output into the log; no shell.
[[nodiscard]] pid_t spawn(const Words& words);
/// Waits for it to end; its exit code, 128+n for a signal.
int await(pid_t pid);
/// spawn() and await(); its output may be shown instead.
int run(const Words& words, bool show = false);
/// Standard output of a program; empty when it failed.
[[nodiscard]] std::string output_of(const Words& words);
/// Ends the bench with a sentence when a preparation failed.
void need(bool holds, const std::string& what);

/// A measured quantity: what, in which group ("lxc", "lodge", "floor"), all its values.
struct Row {
    std::string group;
    std::string what;
    std::string unit = "ms";
    std::vector<double> values;
};

/// Values in order of measurement, shown as medians and ratios to Lodge's.
class Report {
  public:
    void add(const std::string& group,
             const std::string& what,
             double value,
             const std::string& unit = "ms");
    /// A row per quantity, a column per group.
    [[nodiscard]] std::string table() const;
    [[nodiscard]] std::string json() const;
    /// One line per value, for a parent process to read back.
    [[nodiscard]] std::string lines() const;
    void take_lines(const std::string& text);

  private:
    [[nodiscard]] Row&
    row(const std::string& group, const std::string& what, const std::string& unit);
    std::vector<Row> rows_;
};

/// How to start, ask and stop a container of one manager.
struct Manager {
    std::string group;
    Words start;
    bool foreground = false; ///< `start` runs for as long as the container
    std::string stamp;       ///< the fifo that init writes to; empty: `read_stamp` prints it
    Words read_stamp;
    Words stop;       ///< empty: SIGTERM to the process of `start`
    Words clean;      ///< after each stop, not measured
    Words execute;    ///< runs true(1) inside; empty: not measured
    std::string note; ///< what of a Lodge container it lacks
};

struct Plan {
    int repeats = 20;
    double idle_ms = 300; ///< before each start of the second mode
};

/// Start, exec and stop, back to back and after idleness.
void measure(const Manager& manager, const Plan& plan, Report& report);

/// Sum of PSS in KiB of the processes whose /proc/PID/cmdline begins with `prefix`, and their
/// number.
struct Memory {
    double kib = 0;
    int processes = 0;
};
[[nodiscard]] Memory memory_of(const std::string& prefix);

} // namespace lodge::bench
