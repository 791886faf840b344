// Every verb, with its daemon killed at each of its steps, and with its container's monitor killed
// there: the real programs, the real kernel, the same points each time (tests/breakpoint).
#include "lib/base/clock.hpp"
#include "lib/kernel/process.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/breakpoints.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/host_state.hpp"
#include "tests/support/patience.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <optional>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

// About a container called `web1` or a template called `extra`.
struct Case {
    std::string name;
    Words verb;
    std::vector<Words> begin; ///< from an empty host to where the verb begins
    std::vector<Words> back;  ///< from where the verb leads to
    int again = 5;            ///< the verb's exit code where it is done already
    bool needs_init = false;  ///< which must handle signals by then
    bool has_monitor = true;  ///< before the verb, after it, or on its way
};

void PrintTo(const Case& value, std::ostream* out) { // as GoogleTest calls it
    *out << value.name;
}

const Words kCreate{"create", "web1", "--template", "tiny"};
const Words kRun{"create", "web1", "--template", "tiny", "--start"};
const Words kStart{"start", "web1"};
const Words kDestroy{"destroy", "web1", "--force"};
const Words kThaw{"thaw", "web1"};
const Words kFreeze{"freeze", "web1"};
const Words kImport{"template", "import", "extra", "extra.tar"};
const Words kRemove{"template", "remove", "extra"};

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

// Shards take turns: those that take long are in pairs.
const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {.name = "restart",
         .verb = {"restart", "web1"},
         .begin = {kRun},
         .back = {},
         .again = 0,
         .needs_init = true},
        {.name = "create_start", .verb = kRun, .begin = {}, .back = {kDestroy}, .again = 4},
        {.name = "destroy_force", .verb = kDestroy, .begin = {kRun}, .back = {kRun}, .again = 3},
        {.name = "destroy",
         .verb = {"destroy", "web1"},
         .begin = {kCreate},
         .back = {kCreate},
         .again = 3,
         .has_monitor = false},
        {.name = "stop",
         .verb = {"stop", "web1"},
         .begin = {kRun},
         .back = {kStart},
         .needs_init = true},
        {.name = "start",
         .verb = kStart,
         .begin = {kCreate},
         .back = {{"stop", "web1", "--force"}}},
        {.name = "stop_force",
         .verb = {"stop", "web1", "--force"},
         .begin = {kRun},
         .back = {kStart}},
        {.name = "kill", .verb = {"kill", "web1"}, .begin = {kRun}, .back = {kStart}},
        {.name = "create",
         .verb = kCreate,
         .begin = {},
         .back = {kDestroy},
         .again = 4,
         .has_monitor = false},
        {.name = "set",
         .verb = {"set", "web1", "--hostname", "other"},
         .begin = {kRun},
         .back = {{"set", "web1", "--hostname", "web1"}},
         .again = 0},
        {.name = "freeze", .verb = kFreeze, .begin = {kRun}, .back = {kThaw}},
        {.name = "thaw", .verb = kThaw, .begin = {kRun, kFreeze}, .back = {kFreeze}},
        {.name = "template_import",
         .verb = kImport,
         .begin = {},
         .back = {kRemove},
         .again = 4,
         .has_monitor = false},
        {.name = "template_remove",
         .verb = kRemove,
         .begin = {kImport},
         .back = {kImport},
         .again = 3,
         .has_monitor = false},
    };
    return all;
}

enum class Outcome : std::uint8_t { as_before, completed, stopped, neither };

const char* words_of(Outcome outcome) {
    constexpr std::array words{"as before", "completed", "stopped", "NEITHER"};
    return words.at(static_cast<std::size_t>(outcome));
}

bool has_ended(pid_t pid) {
    const auto process = kernel::open_process(pid);
    pollfd end{.fd = process ? process->get() : -1, .events = POLLIN, .revents = 0};
    return !process || ::poll(&end, 1, Deadline::after(patience(10s)).poll_timeout()) == 1;
}

// A container that nobody asks for anything, which must not notice.
class Bystander {
  public:
    explicit Bystander(const LodgeHost& host) : host_(host) {
        EXPECT_EQ(host.lodge({"create", "beside", "--template", "tiny", "--start"}).code, 0)
            << host.daemon_log();
        session_ = std::make_unique<CliProcess>(
            host,
            Words{"exec", "beside", "--", "/bin/guest", "await-signal"},
            CliStreams{.out = output_.write.get()});
        output_.write.reset();
        std::array<char, 6> word{}; // "ready\n": its process runs
        EXPECT_EQ(::read(output_.read.get(), word.data(), word.size()), ssize_t{6});
        family_ = family();
        EXPECT_GE(family_.size(), 3U) << "monitor, init, and what was executed";
    }
    [[nodiscard]] pid_t monitor() const { return family_.front().pid; }
    [[nodiscard]] bool is_as_before() const { return family() == family_ && session_->running(); }

  private:
    // Its monitor, and the children of that.
    [[nodiscard]] std::vector<ProcessIdentity> family() const {
        const pid_t monitor = parent_of(init_of(host_, "beside").pid);
        std::vector<ProcessIdentity> members{identify(monitor)};
        const std::string number = std::to_string(monitor);
        std::ifstream children("/proc/" + number + "/task/" + number + "/children");
        for (pid_t child = 0; children >> child;) {
            members.push_back(identify(child));
        }
        return members;
    }

    const LodgeHost& host_;
    Pipe output_ = make_pipe();
    std::unique_ptr<CliProcess> session_;
    std::vector<ProcessIdentity> family_;
};

class StepKill : public LodgeTest, public ::testing::WithParamInterface<Case> {
  protected:
    void prepare_host() override { breakpoints_.emplace(*host); }
    void SetUp() override {
        LodgeTest::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        ASSERT_NO_FATAL_FAILURE(make_archive());
        bystander_ = std::make_unique<Bystander>(*host);
        ASSERT_NO_FATAL_FAILURE(learn());
    }
    void TearDown() override {
        bystander_.reset();
        if (host) {
            (void)ask(kRemove); // it need not be there
        }
        LodgeTest::TearDown();
    }

    void daemon_dies_at(const std::string& point);
    void monitor_dies_at(const std::string& point);
    [[nodiscard]] const std::vector<std::string>& points() const { return points_; }

  private:
    void make_archive() const;
    void learn();
    void learn_stopped();
    void run(const Words& words, int expected = 0);
    void run_all(const std::vector<Words>& list);
    void start_over();
    void await_signals();
    [[nodiscard]] CliResult ask(Words words) const;
    [[nodiscard]] pid_t ask_in_background(Words words) const;
    [[nodiscard]] HostState settled_state() const;
    [[nodiscard]] Outcome judge(int code, bool may_be_stopped) const;
    void report(const std::string& cell, Outcome outcome, int code) const;
    void works_again(Outcome outcome);
    [[nodiscard]] static int reap(pid_t client);
    [[nodiscard]] std::optional<pid_t> monitor() const;

    std::optional<Breakpoints> breakpoints_;
    std::unique_ptr<Bystander> bystander_;
    std::vector<std::string> points_;
    HostState before_; ///< where the verb begins, with the init of this time
    HostState after_;  ///< where it leads to, undisturbed
    bool changes_init_ = false;
    std::vector<HostState> stopped_; ///< from after it, and from before
};

// Another content than `tiny`, so another image.
void StepKill::make_archive() const {
    const std::string tree = host->directory() + "/tiny";
    std::ofstream(tree + "/etc/extra") << "extra\n";
    ASSERT_TRUE(kernel::run_program(
        {.path = "tar",
         .arguments = {"-cf", host->directory() + "/extra.tar", "-C", tree, "."},
         .deadline = Deadline::after(patience(20s))}));
}

// The archive is where this host is.
Words placed(Words words, const LodgeHost& host) {
    std::replace(
        words.begin(), words.end(), std::string("extra.tar"), host.directory() + "/extra.tar");
    return words;
}

CliResult StepKill::ask(Words words) const {
    return host->lodge(placed(std::move(words), *host));
}

pid_t StepKill::ask_in_background(Words words) const {
    return host->lodge_in_background(placed(std::move(words), *host));
}

// All of it, what it does behind its answer too.
void StepKill::run(const Words& words, int expected) {
    breakpoints_->forget();
    const CliResult result = ask(words);
    ASSERT_EQ(result.code, expected) << words[0] << ": " << result.err << host->daemon_log();
    ASSERT_TRUE(expected != 0 || breakpoints_->await_end()) << words[0] << host->daemon_log();
}

// To where the verb begins.
void StepKill::run_all(const std::vector<Words>& list) {
    for (const Words& words : list) {
        ASSERT_NO_FATAL_FAILURE(run(words));
    }
    ASSERT_NO_FATAL_FAILURE(await_signals());
    before_.init = init_of(*host, "web1");
}

void StepKill::await_signals() {
    if (GetParam().needs_init && host->field("web1", "state") == "running") {
        await_init("web1");
    }
}

void StepKill::start_over() {
    if (!host->field("web1", "state").empty()) {
        ASSERT_NO_FATAL_FAILURE(run(kDestroy));
    }
    run_all(GetParam().begin);
}

// The kernel takes back in queues of its own, which announce nothing.
HostState StepKill::settled_state() const {
    HostState last = take_state(*host);
    for (const Deadline deadline = Deadline::after(patience(10s)); !deadline.expired();) {
        (void)::poll(nullptr, 0, 20);
        HostState now = take_state(*host);
        if (now.lines == last.lines) {
            break;
        }
        last = std::move(now);
    }
    return last;
}

// The verb, undisturbed.
void StepKill::learn() {
    ASSERT_NO_FATAL_FAILURE(run_all(GetParam().begin));
    before_ = settled_state();
    ASSERT_NO_FATAL_FAILURE(run(GetParam().verb));
    points_ = breakpoints_->passed();
    after_ = settled_state();
    changes_init_ = after_.init != before_.init;
    ASSERT_TRUE(before_.lines != after_.lines || changes_init_) << "the verb changes nothing";
    if (GetParam().has_monitor) {
        ASSERT_NO_FATAL_FAILURE(learn_stopped()); // from after it
        ASSERT_NO_FATAL_FAILURE(start_over());
        ASSERT_NO_FATAL_FAILURE(learn_stopped()); // from before
        ASSERT_NO_FATAL_FAILURE(start_over());
    } else {
        ASSERT_NO_FATAL_FAILURE(run_all(GetParam().back));
    }
}

void StepKill::learn_stopped() {
    if (init_of(*host, "web1").pid != 0) {
        ASSERT_NO_FATAL_FAILURE(run({"stop", "web1", "--force"}));
        stopped_.push_back(settled_state());
    }
}

// What was answered as done cannot be as before.
Outcome StepKill::judge(int code, bool may_be_stopped) const {
    const Deadline deadline = Deadline::after(patience(10s));
    while (true) {
        const HostState now = take_state(*host);
        const bool same_init = now.init == before_.init;
        if (now.lines == before_.lines && same_init && code != 0) {
            return Outcome::as_before;
        }
        if (now.lines == after_.lines && same_init != changes_init_) {
            return Outcome::completed;
        }
        if (may_be_stopped && std::any_of(stopped_.begin(), stopped_.end(), [&](const auto& state) {
                return state.lines == now.lines;
            })) {
            return Outcome::stopped;
        }
        if (deadline.expired()) {
            ADD_FAILURE() << "exit code " << code << "\nnot as before:\n"
                          << difference(before_, now) << "not completed:\n"
                          << difference(after_, now) << "the same init: " << same_init << "\n"
                          << host->daemon_log();
            return Outcome::neither;
        }
        (void)::poll(nullptr, 0, 20);
    }
}

// As a shell has it; -1: it hangs.
int StepKill::reap(pid_t client) {
    const bool ended = has_ended(client);
    if (!ended) {
        (void)::kill(client, SIGKILL);
    }
    int status = 0;
    (void)::waitpid(client, &status, 0);
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A cell of the table.
void StepKill::report(const std::string& cell, Outcome outcome, int code) const {
    std::cout << "[step] " << GetParam().name << ": " << cell << " -> " << words_of(outcome)
              << ", exit code " << code << "\n";
    EXPECT_TRUE(code >= 0 && code <= 20) << "no exit code of ours";
    EXPECT_TRUE(bystander_->is_as_before()) << host->daemon_log();
}

// The verb, or what undoes it, works; back to where it begins.
void StepKill::works_again(Outcome outcome) {
    if (outcome == Outcome::stopped) {
        ASSERT_NO_FATAL_FAILURE(run(kStart));
    } else {
        const int code = outcome == Outcome::completed ? GetParam().again : 0;
        ASSERT_NO_FATAL_FAILURE(await_signals());
        ASSERT_NO_FATAL_FAILURE(run(GetParam().verb, code));
        ASSERT_EQ(judge(0, false), Outcome::completed);
    }
    if (host->field("web1", "state") == "running") {
        EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "exit", "42"}).code, 42)
            << host->daemon_log();
    }
    if (outcome == Outcome::stopped) {
        start_over();
    } else {
        run_all(GetParam().back);
    }
}

void StepKill::daemon_dies_at(const std::string& point) {
    SCOPED_TRACE(GetParam().name + ", the daemon dies " + point);
    breakpoints_->forget();
    breakpoints_->order(SIGKILL, point);
    const pid_t client = ask_in_background(GetParam().verb);
    const Halt halt = breakpoints_->await_halt();
    const int code = reap(client);
    ASSERT_EQ(halt, Halt::dead) << "it did not come to this point";
    host->kill_daemon(); // reaps
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    const Outcome outcome = judge(code, false);
    report("lodged dies " + point, outcome, code);
    EXPECT_TRUE(code == 0 || code == 1 || code == 20) << "lodged broke off, or does not run";
    works_again(outcome);
}

// Of web1: there are no others.
std::optional<pid_t> StepKill::monitor() const {
    const std::string mark = " lodge-monitor\n";
    for (const std::string& line : take_inventory()) {
        if (line.starts_with("process ") && line.ends_with(mark)) {
            const pid_t pid = std::stoi(line.substr(line.find(' ') + 1));
            if (pid != bystander_->monitor()) {
                return pid;
            }
        }
    }
    return {};
}

// The daemon is held meanwhile, so that it happens at this point and no other.
void StepKill::monitor_dies_at(const std::string& point) {
    SCOPED_TRACE(GetParam().name + ", the monitor dies " + point);
    breakpoints_->forget();
    breakpoints_->order(SIGSTOP, point);
    const pid_t client = ask_in_background(GetParam().verb);
    const Halt halt = breakpoints_->await_halt();
    const std::optional<pid_t> victim = monitor();
    if (victim) {
        EXPECT_EQ(::kill(*victim, SIGKILL), 0);
        EXPECT_TRUE(has_ended(*victim));
    }
    (void)::kill(host->daemon_pid(), SIGCONT);
    const int code = reap(client);
    ASSERT_EQ(halt, Halt::stopped) << "it did not come to this point";
    const Outcome outcome = judge(code, victim.has_value());
    EXPECT_TRUE(breakpoints_->await_end()) << host->daemon_log();
    report((victim ? "the monitor dies " : "no monitor ") + point, outcome, code);
    if (outcome == Outcome::stopped && code == 0) {
        EXPECT_EQ(host->field("web1", "last_exit"), "the monitor was killed");
    }
    works_again(outcome);
}

TEST_P(StepKill, LeavesWhatWasOrWhatWasAskedFor) {
    for (const std::string& point : points()) {
        ASSERT_NO_FATAL_FAILURE(daemon_dies_at(point));
    }
    for (const std::string& point : points()) {
        // Nothing is done between "before" and "after" the same name.
        if (GetParam().has_monitor && point.starts_with("after ")) {
            ASSERT_NO_FATAL_FAILURE(monitor_dies_at(point));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Verbs, StepKill, ::testing::ValuesIn(cases()), name_of);

} // namespace

} // namespace lodge::test
