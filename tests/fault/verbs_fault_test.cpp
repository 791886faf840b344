#include "tests/fault/rig.hpp"
#include "tests/fault/things.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <sstream>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using daemon::Caller;
using Table = std::vector<std::string>;
using Act = std::function<Status(Rig& rig)>;

// Waits also for the steps behind the answer.
Status outcome(Rig& rig, const std::string& resource, const Result<Uuid>& operation) {
    const Status status = rig.outcome(operation);
    EXPECT_TRUE(rig.settle(resource)) << "it stays busy";
    return status;
}

Status create(Rig& rig, bool start) {
    daemon::CreateRequest request;
    request.spec.name = "web1";
    request.spec.template_name = "base";
    request.start = start;
    return outcome(rig, "web1", rig.containers().create(Caller{}, std::move(request)));
}
Status create_only(Rig& rig) {
    return create(rig, false);
}
Status create_and_start(Rig& rig) {
    return create(rig, true);
}
Status start(Rig& rig) {
    return outcome(rig, "web1", rig.containers().start(Caller{}, "web1"));
}
Status stop(Rig& rig) {
    return outcome(rig, "web1", rig.containers().stop(Caller{}, "web1", {}));
}
Status stop_by_force(Rig& rig) {
    return outcome(rig, "web1", rig.containers().stop(Caller{}, "web1", {.force = true}));
}
Status stop_with_host(Rig& rig) {
    ASSIGN_OR_RETURN(const auto view, rig.views().info(daemon::Caller{}, "web1"));
    const Deadline deadline = Deadline::after(std::chrono::seconds(10));
    return outcome(rig, "web1", rig.containers().stop_with_host(view.container, deadline));
}
Status restart(Rig& rig) {
    return outcome(rig, "web1", rig.containers().restart(Caller{}, "web1", {}));
}
Status kill(Rig& rig) {
    const Status status = rig.containers().kill(Caller{}, "web1", SIGUSR1);
    EXPECT_TRUE(rig.settle("web1"));
    return status;
}
Status freeze(Rig& rig) {
    return outcome(rig, "web1", rig.containers().set_frozen(Caller{}, "web1", true));
}
Status thaw(Rig& rig) {
    return outcome(rig, "web1", rig.containers().set_frozen(Caller{}, "web1", false));
}
Status set_memory(Rig& rig, const model::FieldValue& bytes) {
    return outcome(rig, "web1", rig.containers().set(Caller{}, "web1", {{"memory_bytes", bytes}}));
}
Status give_memory(Rig& rig) {
    return set_memory(rig, std::uint64_t{64} << 20);
}
Status give_more_memory(Rig& rig) {
    return set_memory(rig, std::uint64_t{128} << 20);
}
Status free_memory(Rig& rig) {
    return set_memory(rig, {});
}
Status destroy(Rig& rig) {
    return outcome(rig, "web1", rig.containers().destroy(Caller{}, "web1", false));
}
Status destroy_by_force(Rig& rig) {
    return outcome(rig, "web1", rig.containers().destroy(Caller{}, "web1", true));
}
// The watcher gets the exit again after a collect that failed.
Status init_ends(Rig& rig, const std::string& how) {
    rig.world().happen(
        [&](Things& things) { end_processes(things, with_prefix(things, "init ").at(0), how); });
    for (int looks = 0; looks < 2; ++looks) {
        rig.watch();
        EXPECT_TRUE(rig.settle("web1"));
    }
    return {};
}
Status halt_inside(Rig& rig) {
    return init_ends(rig, "halt");
}
Status reboot_inside(Rig& rig) {
    return init_ends(rig, "reboot");
}
Status build(Rig& rig) {
    return outcome(rig, "template debian-12", rig.templates().build(Caller{}, "debian-12", ""));
}
Status import(Rig& rig) {
    UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return outcome(rig,
                   "template base",
                   rig.templates().import(Caller{}, "base", {.bytes = std::move(archive)}));
}
Status remove_template(Rig& rig) {
    return outcome(rig, "template base", rig.templates().remove(Caller{}, "base"));
}

struct Verb {
    const char* name;
    std::vector<Act> before; ///< the acts that must precede it
    Act act;
    Act next; ///< runs afterwards: the verb must leave nothing that hinders it
};
void PrintTo(const Verb& verb, std::ostream* out) {
    *out << verb.name;
}

struct Tally {
    int calls = 0;
    int nothing = 0; ///< state as before
    int done = 0;    ///< state as after success
};

std::string table;

class Verbs : public ::testing::TestWithParam<Verb> {
  protected:
    // The state on which the verb runs, made once and copied for each fault.
    void SetUp() override {
        World world(origin_);
        {
            std::filesystem::create_directory(origin_);
            Rig rig(world);
            for (const Act& act : GetParam().before) {
                ASSERT_TRUE(act(rig));
            }
            before_ = rig.ledger();
        }
        things_ = world.things();
        World other = copy();
        Rig rig(other);
        EXPECT_EQ(rig.ledger(), before_) << "after a restart of the daemon";
        exit_before_ = rig.last_exit("web1");
        ASSERT_TRUE(GetParam().act(rig));
        after_ = rig.ledger();
        exit_after_ = rig.last_exit("web1");
    }
    static void TearDownTestSuite() {
        std::cout << "verb               fault         calls  undone    done\n" << table;
        table.clear();
    }

    World copy() {
        std::filesystem::remove_all(copy_);
        std::filesystem::copy(origin_, copy_, std::filesystem::copy_options::recursive);
        return World(copy_, things_);
    }
    void survive(); ///< for each k: the k-th call has the fault
    bool hit(World& world, int at);
    bool hit_by_crash(World& world, int at);
    bool hit_in_recovery(World& world, int at);
    static bool fails_in_recovery(World& world, int at);
    void expect_recovered(World& world);
    void expect_usable(World& world, std::unique_ptr<Rig> rig, bool succeeded);
    void expect_again(Rig& rig);
    [[nodiscard]] std::string fault_name() const {
        return restarted_       ? "and restart"
               : crashes_again_ ? "crash twice"
               : fails_again_   ? "crash, fails"
                                : to_string(fault_);
    }

    TempDir directory_{"/dev/shm"}; // thousands of transactions need no disk
    std::string origin_ = directory_.path() + "/origin";
    std::string copy_ = directory_.path() + "/copy";
    Fault fault_ = Fault::none;
    bool restarted_ = false;     ///< restart the daemon before the next request
    bool crashes_again_ = false; ///< in its recovery
    bool fails_again_ = false;   ///< a call of its recovery does
    int second_ = 0;             ///< the call where it did last
    bool hit_again_ = false;     ///< the second fault has occurred
    Tally tally_;
    Things things_;
    Table before_;
    Table after_;
    std::string exit_before_; ///< the last exit of init
    std::string exit_after_;
};

// True when the fault has occurred. Then the state was checked.
bool Verbs::hit(World& world, int at) {
    auto rig = std::make_unique<Rig>(world);
    world.arm(fault_, at);
    const Status status = GetParam().act(*rig);
    const std::string fired = world.fired();
    SCOPED_TRACE(std::to_string(at) + ": " + fired);
    if (fired.empty()) {
        EXPECT_TRUE(status) << status.error().to_string();
        return false;
    }
    EXPECT_TRUE(status || status.error().to_string().find("injected") != std::string::npos)
        << status.error().to_string();
    if (restarted_) {
        rig.reset();
        rig = std::make_unique<Rig>(world);
    }
    const std::string exit = rig->last_exit("web1");
    EXPECT_TRUE(exit == exit_before_ || exit == exit_after_) << exit;
    expect_usable(world, std::move(rig), status.has_value());
    return true;
}

// Runs a daemon in a process of its own. True: it died at the armed call; the world then has the
// state that it left.
bool dies(World& world, const std::function<void()>& daemon) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        daemon();
        ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != World::kCrashed) {
        return false;
    }
    world.load();
    return true;
}

// The same with a daemon that dies.
bool Verbs::hit_by_crash(World& world, int at) {
    return dies(world, [&] {
        Rig rig(world);
        world.arm(fault_, at);
        (void)GetParam().act(rig);
    });
}

// The next daemon dies too, during its recovery.
bool Verbs::hit_in_recovery(World& world, int at) {
    return dies(world, [&] {
        world.arm(fault_, at);
        const Rig rig(world);
    });
}

// The next daemon's recovery meets a failure; the one after it does not.
bool Verbs::fails_in_recovery(World& world, int at) {
    world.arm(Fault::fails, at);
    const Rig rig(world);
    world.disarm();
    return !world.fired().empty();
}

void Verbs::expect_recovered(World& world) {
    auto rig = std::make_unique<Rig>(world);
    EXPECT_EQ(rig->unfinished(), 0U);
    EXPECT_THAT(rig->last_exit("web1"), ::testing::Not(::testing::HasSubstr("monitor")));
    expect_usable(world, std::move(rig), false);
}

// In each case the verb was done or has no effect, and its remains hinder neither the next verb nor
// the next daemon.
void Verbs::expect_usable(World& world, std::unique_ptr<Rig> rig, bool succeeded) {
    const Table now = rig->ledger();
    ++(now == before_ ? tally_.nothing : tally_.done);
    EXPECT_TRUE(now == after_ || (!succeeded && now == before_)) << ::testing::PrintToString(now);
    if (now != after_) {
        expect_again(*rig);
    }
    const Status next = GetParam().next(*rig);
    EXPECT_TRUE(next) << "the next verb: " << next.error().to_string();
    const Table last = rig->ledger();
    rig.reset();
    EXPECT_EQ(Rig(world).ledger(), last) << "after the next verb and a restart of the daemon";
}

void Verbs::expect_again(Rig& rig) {
    const Status again = GetParam().act(rig);
    if (fault_ == Fault::fails_after && !again &&
        again.error().code() == ErrorCode::invalid_state) {
        return; // it was done, although it reported a failure
    }
    EXPECT_TRUE(again) << "asked again: " << again.error().to_string();
    EXPECT_EQ(rig.ledger(), after_) << "asked again";
}

void Verbs::survive() {
    while (true) {
        World world = copy();
        const int at = tally_.calls + 1;
        if (!is_crash(fault_)) {
            if (!hit(world, at)) {
                break;
            }
        } else {
            if (!hit_by_crash(world, at)) {
                break;
            }
            const std::string place = "crash at " + std::to_string(at);
            // The second crash moves on with the first, so that together they meet every call.
            const bool again = (crashes_again_ && hit_in_recovery(world, second_ + 1)) ||
                               (fails_again_ && fails_in_recovery(world, second_ + 1));
            second_ = again ? second_ + 1 : 0;
            hit_again_ = hit_again_ || again;
            SCOPED_TRACE(place + ", again at " + std::to_string(second_));
            expect_recovered(world);
        }
        ++tally_.calls;
        if (HasFailure()) {
            return;
        }
    }
    EXPECT_GE(tally_.calls, 3) << "the fault hit nothing";
    EXPECT_EQ(hit_again_, crashes_again_ || fails_again_) << "the second fault hit nothing";
    std::ostringstream line;
    line << std::left << std::setw(19) << GetParam().name << std::setw(13) << fault_name()
         << std::right << std::setw(6) << tally_.calls << std::setw(8) << tally_.nothing
         << std::setw(8) << tally_.done << "\n";
    table += line.str();
}

TEST_P(Verbs, SurviveTheFailureOfAnyCall) {
    fault_ = Fault::fails;
    survive();
}
TEST_P(Verbs, LeaveNothingThatTheNextDaemonDoesNotSweep) {
    fault_ = Fault::fails;
    restarted_ = true;
    survive();
}
TEST_P(Verbs, SurviveAnyCallThatDidItsWorkAndFailed) {
    fault_ = Fault::fails_after;
    survive();
}
TEST_P(Verbs, SurviveACrashBeforeAnyCall) {
    fault_ = Fault::crash_before;
    survive();
}
TEST_P(Verbs, SurviveACrashAfterAnyCall) {
    fault_ = Fault::crash_after;
    survive();
}
TEST_P(Verbs, SurviveACrashAndAnotherOneInItsRecovery) {
    fault_ = Fault::crash_after;
    crashes_again_ = true;
    survive();
}
TEST_P(Verbs, SurviveACrashAndAFailureInItsRecovery) {
    fault_ = Fault::crash_before;
    fails_again_ = true;
    survive();
}

INSTANTIATE_TEST_SUITE_P(
    Faults,
    Verbs,
    ::testing::Values(
        Verb{"create", {import, create_only, destroy}, create_only, start},
        Verb{"create+start", {import, create_only, destroy}, create_and_start, stop},
        Verb{"start", {import, create_only}, start, stop},
        Verb{"stop", {import, create_and_start}, stop, start},
        Verb{"stop --force", {import, create_and_start}, stop_by_force, destroy},
        Verb{"stop with host", {import, create_and_start}, stop_with_host, start},
        Verb{"restart", {import, create_and_start}, restart, destroy_by_force},
        Verb{"halt inside", {import, create_and_start}, halt_inside, start},
        Verb{"reboot inside", {import, create_and_start}, reboot_inside, stop},
        Verb{"kill", {import, create_and_start}, kill, stop},
        Verb{"freeze", {import, create_and_start}, freeze, thaw},
        Verb{"thaw", {import, create_and_start, freeze}, thaw, stop},
        Verb{"set", {import, create_and_start, give_memory}, give_more_memory, free_memory},
        Verb{"stopped: set", {import, create_only}, give_memory, start},
        Verb{"frozen: stop", {import, create_and_start, freeze}, stop, start},
        Verb{"frozen: --force", {import, create_and_start, freeze}, stop_by_force, start},
        Verb{"frozen: restart", {import, create_and_start, freeze}, restart, freeze},
        Verb{"frozen: kill", {import, create_and_start, freeze}, kill, thaw},
        Verb{"frozen: destroy", {import, create_and_start, freeze}, destroy_by_force, create_only},
        Verb{"destroy", {import, create_only}, destroy, create_only},
        Verb{"destroy --force", {import, create_and_start}, destroy_by_force, create_only},
        Verb{"template build", {import}, build, remove_template},
        Verb{"template import", {}, import, create_only},
        Verb{"template remove", {import}, remove_template, import}));

} // namespace

} // namespace lodge::test
