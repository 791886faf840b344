#include "tests/bench/measure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::bench {

namespace {

constexpr int kStampDeadline = 20'000;
int log_fd = -1;

pid_t spawn_with(const Words& words, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (log_fd >= 0) {
        posix_spawn_file_actions_adddup2(&actions, log_fd, STDERR_FILENO);
    }
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words) {
        argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    need(error == 0, "cannot run " + words[0] + ": " + std::strerror(error));
    return pid;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), value < 100 ? "%.2f" : "%.0f", value);
    return text.data();
}

std::string text_of(const Row& row) {
    const auto [least, most] = std::minmax_element(row.values.begin(), row.values.end());
    std::string text = number(median(row.values));
    if (row.values.size() > 1) {
        text += " (" + number(*least) + ".." + number(*most) + ")";
    }
    return text;
}

// The fifo is opened before the start, so that init's open does not wait.
class Stamp {
  public:
    explicit Stamp(const Manager& manager)
        : manager_(manager),
          fd_(manager.stamp.empty()
                  ? -1
                  : ::open(manager.stamp.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
        need(manager.stamp.empty() || fd_ >= 0, "cannot open " + manager.stamp);
    }
    ~Stamp() {
        if (fd_ >= 0) {
            (void)::close(fd_);
        }
    }
    Stamp(const Stamp&) = delete;
    Stamp& operator=(const Stamp&) = delete;

    /// When init ran, which was after `begin`: what an earlier start left is passed over.
    [[nodiscard]] double take(double begin) const {
        double stamp = 0;
        while (stamp < begin) {
            need(now_ms() < begin + kStampDeadline, manager_.group + ": init did not start");
            stamp = std::strtod(read().c_str(), nullptr) / 1e6;
        }
        return stamp;
    }

  private:
    [[nodiscard]] std::string read() const {
        std::string text;
        if (fd_ < 0) {
            text = output_of(manager_.read_stamp);
        } else {
            pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
            std::array<char, 64> buffer{};
            if (::poll(&wait, 1, kStampDeadline) == 1) {
                const ssize_t size = ::read(fd_, buffer.data(), buffer.size() - 1);
                text.assign(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
            }
        }
        return text;
    }

    const Manager& manager_;
    int fd_;
};

void sleep_ms(double ms) {
    const timespec span{.tv_sec = static_cast<time_t>(ms / 1000),
                        .tv_nsec =
                            static_cast<long>((ms - 1000 * static_cast<int>(ms / 1000)) * 1e6)};
    (void)::nanosleep(&span, nullptr);
}

struct Times {
    double init = 0;
    double answered = 0;
    double executed = 0;
    double stopped = 0;
};

Times once(const Manager& manager, bool with_exec) {
    const Stamp stamp(manager);
    Times times;
    const double begin = now_ms();
    const pid_t starter = spawn(manager.start);
    if (manager.foreground) {
        times.init = stamp.take(begin) - begin;
    } else {
        need(await(starter) == 0, manager.group + ": the start failed");
        times.answered = now_ms() - begin;
        times.init = stamp.take(begin) - begin;
    }
    if (with_exec && !manager.execute.empty()) {
        const double asked = now_ms();
        need(run(manager.execute) == 0, manager.group + ": exec failed");
        times.executed = now_ms() - asked;
    }
    const double stopping = now_ms();
    if (manager.stop.empty()) {
        (void)::kill(starter, SIGTERM);
    } else {
        need(run(manager.stop) == 0, manager.group + ": stop failed");
    }
    if (manager.foreground) {
        (void)await(starter);
    }
    times.stopped = now_ms() - stopping;
    if (!manager.clean.empty()) {
        (void)run(manager.clean);
    }
    return times;
}

} // namespace

double now_ms() {
    timespec now{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void need(bool holds, const std::string& what) {
    if (!holds) {
        std::fprintf(stderr, "bench: %s\n", what.c_str());
        std::exit(1); // NOLINT(concurrency-mt-unsafe): one thread
    }
}

pid_t spawn(const Words& words) {
    return spawn_with(words, log_fd >= 0 ? log_fd : STDERR_FILENO);
}

int await(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run(const Words& words, bool show) {
    return await(show ? spawn_with(words, STDERR_FILENO) : spawn(words));
}

void log_to(const std::string& path) {
    log_fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    need(log_fd >= 0, "cannot write " + path);
}

std::string output_of(const Words& words) {
    std::array<int, 2> ends{};
    need(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2");
    const pid_t pid = spawn_with(words, ends[1]);
    (void)::close(ends[1]);
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 0; (size = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    (void)::close(ends[0]);
    return await(pid) == 0 ? text : std::string();
}

void measure(const Manager& manager, const Plan& plan, Report& report) {
    (void)once(manager, true); // warms caches
    for (const bool idle : {false, true}) {
        const std::string mode = idle ? ", idle" : ", back to back";
        for (int i = 0; i < plan.repeats; ++i) {
            if (idle) {
                sleep_ms(plan.idle_ms);
            }
            const Times times = once(manager, !idle);
            report.add(manager.group, "start to init" + mode, times.init);
            if (!manager.foreground) {
                report.add(manager.group, "start to answer" + mode, times.answered);
            }
            if (!idle && !manager.execute.empty()) {
                report.add(manager.group, "exec of true", times.executed);
            }
            if (!idle) {
                report.add(manager.group, "stop, forced", times.stopped);
            }
        }
    }
}

Memory memory_of(const std::string& prefix) {
    Memory memory;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream command(entry.path() / "cmdline");
        std::string line;
        if (!std::getline(command, line, '\0') || line.rfind(prefix, 0) != 0) {
            continue;
        }
        std::ifstream rollup(entry.path() / "smaps_rollup");
        for (std::string word; rollup >> word;) {
            double kib = 0;
            if (word == "Pss:" && rollup >> kib) {
                memory.kib += kib;
                memory.processes += 1;
                break;
            }
        }
    }
    return memory;
}

Row& Report::row(const std::string& group, const std::string& what, const std::string& unit) {
    for (Row& row : rows_) {
        if (row.group == group && row.what == what) {
            return row;
        }
    }
    return rows_.emplace_back(Row{.group = group, .what = what, .unit = unit, .values = {}});
}

void Report::add(const std::string& group,
                 const std::string& what,
                 double value,
                 const std::string& unit) {
    row(group, what, unit).values.push_back(value);
}

std::string Report::lines() const {
    std::ostringstream text;
    for (const Row& row : rows_) {
        for (const double value : row.values) {
            text << row.group << '\t' << row.what << '\t' << row.unit << '\t' << value << '\n';
        }
    }
    return text.str();
}

void Report::take_lines(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string group;
        std::string what;
        std::string unit;
        double value = 0;
        if (std::getline(fields, group, '\t') && std::getline(fields, what, '\t') &&
            std::getline(fields, unit, '\t') && fields >> value) {
            add(group, what, value, unit);
        }
    }
}

std::string Report::table() const {
    std::vector<std::string> whats;
    for (const Row& row : rows_) {
        if (std::find(whats.begin(), whats.end(), row.what) == whats.end()) {
            whats.push_back(row.what);
        }
    }
    std::ostringstream text;
    text << "| what | who | median (least..most) | n | to Lodge's |\n|---|---|---|---|---|\n";
    for (const std::string& what : whats) {
        double ours = 0;
        for (const Row& row : rows_) {
            if (row.what == what && row.group == "lodge") {
                ours = median(row.values);
            }
        }
        for (const Row& row : rows_) {
            if (row.what == what) {
                text << "| " << what << " | " << row.group << " | " << text_of(row) << ' '
                     << row.unit << " | " << row.values.size() << " | "
                     << (ours > 0 ? number(median(row.values) / ours) + " x" : std::string("-"))
                     << " |\n";
            }
        }
    }
    return text.str();
}

std::string Report::json() const {
    std::ostringstream text;
    text << "[";
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const Row& row = rows_[i];
        text << (i == 0 ? "\n" : ",\n") << "  {\"group\": \"" << row.group << "\", \"what\": \""
             << row.what << "\", \"unit\": \"" << row.unit
             << "\", \"median\": " << median(row.values) << ", \"values\": [";
        for (std::size_t k = 0; k < row.values.size(); ++k) {
            text << (k == 0 ? "" : ", ") << row.values[k];
        }
        text << "]}";
    }
    text << "\n]\n";
    return text.str();
}

} // namespace lodge::bench
