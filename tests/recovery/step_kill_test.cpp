// Every verb, with its daemon killed at each of its steps, and with its container's monitor killed
// there: the real programs, the real kernel, the same points each time (tests/breakpoint).
#include "lib/base/clock.hpp"
#include "lib/base/uuid.hpp"
#include "lib/kernel/program.hpp"
#include "tests/recovery/bystander.hpp"
#include "tests/recovery/step_kill_cases.hpp"
#include "tests/support/breakpoints.hpp"
#include "tests/support/host_state.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/replaced_file.hpp"

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
std::string name_of(const ::testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

enum class Outcome : std::uint8_t { as_before, completed, stopped, neither };

const char* words_of(Outcome outcome) {
    constexpr std::array words{"as before", "completed", "stopped", "NEITHER"};
    return words.at(static_cast<std::size_t>(outcome));
}

class StepKill : public LodgeTest, public ::testing::WithParamInterface<Case> {
  protected:
    void prepare_host() override { breakpoints_.emplace(*host); }
    void SetUp() override {
        LodgeTest::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        ASSERT_NO_FATAL_FAILURE(make_archive());
        if (GetParam().name == "template_build") {
            replace_builder();
        }
        bystander_ = std::make_unique<Bystander>(*host, GetParam().beside);
        ASSERT_NO_FATAL_FAILURE(learn());
    }
    void TearDown() override {
        bystander_.reset();
        if (host) {
            (void)ask(kRemove); // it need not be there
        }
        builder_.reset();
        boot_id_.reset();
        LodgeTest::TearDown();
    }

    void daemon_dies_at(const std::string& point, Outcome expected);
    void monitor_dies_at(const std::string& point);
    [[nodiscard]] unsigned monitors_killed() const { return monitors_killed_; }
    [[nodiscard]] const std::vector<std::string>& points() const { return points_; }

  private:
    void make_archive() const;
    void replace_builder();
    void learn();
    void learn_halfway();
    void learn_stopped();
    void run(const Deed& deed, int expected = 0);
    void run_all(const std::vector<Deed>& list);
    void start_over();
    void await_signals();
    void boot();
    [[nodiscard]] Words placed(Words words) const;
    [[nodiscard]] CliResult ask(const Deed& deed) const;
    [[nodiscard]] pid_t begin_verb();
    [[nodiscard]] std::optional<int> end_verb(pid_t client);
    [[nodiscard]] HostState settled_state() const;
    [[nodiscard]] bool is_completed(const HostState& now) const;
    [[nodiscard]] Outcome judge(std::optional<int> code, bool may_be_stopped) const;
    void report(const std::string& cell, Outcome outcome, std::optional<int> code) const;
    void await_resumed() const;
    void works_again(Outcome outcome);
    [[nodiscard]] std::optional<pid_t> monitor() const;

    std::optional<Breakpoints> breakpoints_;
    std::unique_ptr<Bystander> bystander_;
    std::optional<ReplacedFile> builder_;
    std::optional<ReplacedFile> boot_id_;
    std::vector<std::string> points_;
    HostState before_;                 ///< where the verb begins, with the init of this time
    HostState after_;                  ///< where it leads to, undisturbed
    std::optional<HostState> halfway_; ///< web1 is there, and the bystander as it was
    bool changes_init_ = false;
    std::string last_exit_;          ///< of web1, after it
    int client_status_ = 0;          ///< of the verb, as waitpid(2) has it
    std::vector<HostState> stopped_; ///< from after it, and from before
    unsigned monitors_killed_ = 0;
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

// Replaces mmdebstrap, whose last arguments are the suite, the tree to make, and "-": it would need
// Debian's archive, which no test's network reaches.
void StepKill::replace_builder() {
    builder_.emplace("/usr/bin/mmdebstrap",
                     "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\nexec cp -a " +
                         host->directory() + "/tiny \"$1\"\n",
                     0755);
}

// The archive is where this host is.
Words StepKill::placed(Words words) const {
    std::replace(
        words.begin(), words.end(), std::string("extra.tar"), host->directory() + "/extra.tar");
    return words;
}

CliResult StepKill::ask(const Deed& deed) const {
    return host->lodge(placed(deed.words));
}

// Cuts the power, and gives the next daemon another boot.
void StepKill::boot() {
    ASSERT_NO_FATAL_FAILURE(host->cut_power({"web1"}));
    boot_id_.emplace("/proc/sys/kernel/random/boot_id", Uuid::generate()->to_string() + "\n");
    host->spawn_daemon();
}

// Runs a deed to its end, with the steps behind its answer.
void StepKill::run(const Deed& deed, int expected) {
    breakpoints_->forget(deed.operations);
    if (deed.words.empty()) {
        ASSERT_NO_FATAL_FAILURE(boot());
        ASSERT_NO_FATAL_FAILURE(host->await_daemon());
    } else {
        const CliResult result = ask(deed);
        ASSERT_TRUE(!deed.answers || result.code == expected)
            << deed.words[0] << ": " << result.code << " " << result.err << host->daemon_log();
    }
    ASSERT_TRUE(expected != 0 || breakpoints_->await_end()) << host->daemon_log();
}

// The verb, while something is done to it. 0: no client waits.
pid_t StepKill::begin_verb() {
    const Deed& verb = GetParam().verb;
    breakpoints_->forget(verb.operations);
    if (verb.words.empty()) {
        boot();
        return 0;
    }
    return host->lodge_in_background(placed(verb.words));
}

// The exit code of the client as a shell reports it; -1: it hung. nullopt: there was no client.
std::optional<int> StepKill::end_verb(pid_t client) {
    if (client == 0) {
        return {};
    }
    const bool ended = has_ended(client);
    if (!ended) {
        (void)::kill(client, SIGKILL);
    }
    int status = 0;
    (void)::waitpid(client, &status, 0);
    client_status_ = status;
    EXPECT_TRUE(ended && WIFEXITED(status)) << "the client hangs, or was killed";
    return GetParam().verb.answers ? std::optional(ended ? WEXITSTATUS(status) : -1) : std::nullopt;
}

// Brings the host to the state in which the verb begins.
void StepKill::run_all(const std::vector<Deed>& list) {
    for (const Deed& deed : list) {
        ASSERT_NO_FATAL_FAILURE(run(deed));
    }
    ASSERT_NO_FATAL_FAILURE(await_signals());
    bystander_->look();
    before_.init = init_of(*host, "web1");
}

void StepKill::await_signals() {
    for (const char* name : {"web1", "beside"}) {
        if (GetParam().needs_init && host->field(name, "state") == "running") {
            await_init(name);
        }
    }
}

void StepKill::start_over() {
    if (!host->field("web1", "state").empty()) {
        ASSERT_NO_FATAL_FAILURE(run(kDestroy));
    }
    run_all(GetParam().begin);
}

// The kernel frees objects in work queues, which send no events.
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
    last_exit_ = host->field("web1", "last_exit");
    changes_init_ = after_.init != before_.init;
    ASSERT_TRUE(before_.lines != after_.lines || changes_init_) << "the verb changes nothing";
    if (GetParam().stops_beside) {
        ASSERT_NO_FATAL_FAILURE(learn_halfway());
    }
    if (GetParam().has_monitor) {
        ASSERT_NO_FATAL_FAILURE(learn_stopped()); // from after it
        ASSERT_NO_FATAL_FAILURE(start_over());
        ASSERT_NO_FATAL_FAILURE(learn_stopped()); // from before
        ASSERT_NO_FATAL_FAILURE(start_over());
    } else {
        ASSERT_NO_FATAL_FAILURE(run_all(GetParam().back));
    }
}

void StepKill::learn_halfway() {
    ASSERT_NO_FATAL_FAILURE(run({{"start", "beside"}}));
    bystander_->look();
    halfway_ = settled_state();
    ASSERT_NO_FATAL_FAILURE(run(GetParam().verb)); // the rest of the way
}

void StepKill::learn_stopped() {
    if (init_of(*host, "web1").pid != 0) {
        ASSERT_NO_FATAL_FAILURE(run({{"stop", "web1", "--force"}}));
        stopped_.push_back(settled_state());
    }
}

bool StepKill::is_completed(const HostState& now) const {
    const bool is_there = now.lines == after_.lines || (halfway_ && now.lines == halfway_->lines);
    return is_there && (now.init != before_.init) == changes_init_;
}

std::string told(std::optional<int> code) {
    return code ? "exit code " + std::to_string(*code) : "no client";
}

// What was answered as done cannot be as before, nor what nobody had to ask for.
Outcome StepKill::judge(std::optional<int> code, bool may_be_stopped) const {
    const Deadline deadline = Deadline::after(patience(10s));
    while (true) {
        const HostState now = take_state(*host);
        const bool same_init = now.init == before_.init;
        if (now.lines == before_.lines && same_init && code.value_or(0) != 0) {
            return Outcome::as_before;
        }
        if (is_completed(now)) {
            return Outcome::completed;
        }
        if (may_be_stopped && std::any_of(stopped_.begin(), stopped_.end(), [&](const auto& state) {
                return state.lines == now.lines;
            })) {
            return Outcome::stopped;
        }
        if (deadline.expired()) {
            ADD_FAILURE() << told(code) << "\nnot as before:\n"
                          << difference(before_, now) << "not completed:\n"
                          << difference(after_, now) << "the same init: " << same_init << "\n"
                          << host->daemon_log();
            return Outcome::neither;
        }
        (void)::poll(nullptr, 0, 20);
    }
}

// Waits for operations of the dead daemon: before their end the state may look unchanged.
void StepKill::await_resumed() const {
    const Deadline deadline = Deadline::after(patience(10s));
    while (host->lodge({"operation", "list", "--json"}).out != "[]\n") {
        ASSERT_FALSE(deadline.expired()) << host->daemon_log();
    }
}

// A cell of the table.
void StepKill::report(const std::string& cell, Outcome outcome, std::optional<int> code) const {
    std::cout << "[step] " << GetParam().name << ": " << cell << " -> " << words_of(outcome) << ", "
              << told(code) << "\n";
    EXPECT_TRUE(!code || (*code >= 0 && *code <= 20)) << "no exit code of ours";
    // Where it is stopped too, it was its turn: it is down in no other state than the last.
    EXPECT_TRUE(bystander_->is_as_before() || (GetParam().stops_beside && !bystander_->runs()))
        << host->daemon_log();
}

// The verb, or its reverse, works; then back to the state in which the verb begins.
void StepKill::works_again(Outcome outcome) {
    if (outcome == Outcome::stopped) {
        ASSERT_NO_FATAL_FAILURE(run(kStart));
    } else {
        const auto code = outcome == Outcome::completed ? GetParam().again : 0;
        ASSERT_NO_FATAL_FAILURE(await_signals());
        if (code) {
            ASSERT_NO_FATAL_FAILURE(run(GetParam().verb, *code));
            ASSERT_EQ(judge(0, false), Outcome::completed);
        }
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

void StepKill::daemon_dies_at(const std::string& point, Outcome expected) {
    SCOPED_TRACE(GetParam().name + ", the daemon dies " + point);
    breakpoints_->order(SIGKILL, point);
    const pid_t client = begin_verb();
    const Halt halt = breakpoints_->await_halt();
    const std::optional<int> code = end_verb(client);
    ASSERT_EQ(halt, Halt::dead) << "it did not come to this point; the client ended with "
                                << client_status_ << ":\n"
                                << host->client_log() << host->daemon_log();
    host->kill_daemon(); // reaps
    breakpoints_->forget(0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    ASSERT_NO_FATAL_FAILURE(await_resumed());
    const Outcome outcome = judge(code, false);
    EXPECT_TRUE(breakpoints_->await_end()) << host->daemon_log(); // of what it starts by itself
    report("lodged dies " + point, outcome, code);
    EXPECT_EQ(words_of(outcome), std::string(words_of(expected)));
    EXPECT_TRUE(!code || code == 0 || code == 1 || code == 20)
        << "lodged broke off, or does not run";
    if (!code) { // how init ended has not died with lodged
        EXPECT_EQ(host->field("web1", "last_exit"), last_exit_) << host->daemon_log();
    }
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

// The daemon is stopped meanwhile, so that the monitor dies at exactly this point.
void StepKill::monitor_dies_at(const std::string& point) {
    SCOPED_TRACE(GetParam().name + ", the monitor dies " + point);
    breakpoints_->order(SIGSTOP, point);
    const pid_t client = begin_verb();
    const Halt halt = breakpoints_->await_halt();
    const std::optional<pid_t> victim = monitor();
    if (victim) {
        EXPECT_EQ(::kill(*victim, SIGKILL), 0);
        EXPECT_TRUE(has_ended(*victim));
        ++monitors_killed_;
    }
    (void)::kill(host->daemon_pid(), SIGCONT);
    const std::optional<int> code = end_verb(client);
    ASSERT_EQ(halt, Halt::stopped) << "it did not come to this point";
    if (client == 0) {
        ASSERT_NO_FATAL_FAILURE(host->await_daemon());
    }
    if (!code) { // nothing tells when it is over, and on its way it may look like another outcome
        EXPECT_TRUE(breakpoints_->await_end()) << host->daemon_log();
    }
    const Outcome outcome = judge(code, victim.has_value());
    EXPECT_TRUE(breakpoints_->await_end()) << host->daemon_log();
    report((victim ? "the monitor dies " : "no monitor ") + point, outcome, code);
    if (outcome == Outcome::stopped && code == 0) {
        EXPECT_EQ(host->field("web1", "last_exit"), "the monitor was killed");
    }
    works_again(outcome);
}

TEST_P(StepKill, LeavesWhatWasOrWhatWasAskedFor) {
    ASSERT_GT(points().size(), GetParam().undone);
    std::size_t number = 0;
    for (const std::string& point : points()) {
        const auto expected =
            number++ < GetParam().undone ? Outcome::as_before : Outcome::completed;
        ASSERT_NO_FATAL_FAILURE(daemon_dies_at(point, expected));
    }
    for (const std::string& point : points()) {
        // Nothing is done between "before" and "after" the same name.
        if (GetParam().has_monitor && point.starts_with("after ")) {
            ASSERT_NO_FATAL_FAILURE(monitor_dies_at(point));
        }
    }
    EXPECT_EQ(monitors_killed() > 0, GetParam().has_monitor);
}

INSTANTIATE_TEST_SUITE_P(Verbs, StepKill, ::testing::ValuesIn(step_kill_cases()), name_of);

} // namespace

} // namespace lodge::test
