#include "daemon/operations/engine.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace lodge::daemon {
namespace {

// A world of named objects in which each call can fail. An object that is left in it was leaked.
struct Ledger {
    std::set<std::string> live;
    std::set<std::string> unmade;
    int calls = 0;
    int fail_at = 0;
    int times = 1;
    ErrorCode code = ErrorCode::kernel;

    Status make(const std::string& name) {
        ++calls;
        if (calls >= fail_at && calls < fail_at + times) {
            return fail(code, "injected at call " + std::to_string(calls));
        }
        live.insert(name);
        return {};
    }
    Status unmake(const std::string& name) {
        live.erase(name);
        unmade.insert(name);
        return {};
    }
};

// Steps of one name, told apart by their object.
Plan plan_over(Ledger& ledger, int steps) {
    Plan plan;
    for (int i = 0; i < steps; ++i) {
        const std::string name = "object " + std::to_string(i);
        plan.steps.push_back({.name = "make",
                              .perform = [&ledger, name] { return ledger.make(name); },
                              .undo = [&ledger, name] { return ledger.unmake(name); },
                              .object = name});
    }
    plan.commit = plan.answer = plan.steps.size();
    return plan;
}

// As a restart: two steps without an undo, two with one, one behind the answer.
Plan restart_over(Ledger& ledger) {
    Plan plan = plan_over(ledger, 5);
    plan.steps[0].undo = plan.steps[1].undo = plan.steps[4].undo = {};
    plan.commit = plan.answer = 4;
    plan.on_recovery = OnRecovery::rerun;
    return plan;
}

class OperationFaults : public ::testing::Test {
  protected:
    void open() {
        database_ = open_store(directory_.path() + "/lodge.db").value();
        log_ = std::make_unique<OperationLog>(*database_);
        engine_ = std::make_unique<OperationEngine>(EngineParts{.log = *log_,
                                                                .events = events_,
                                                                .boot_id = "boot",
                                                                .warn = [](const std::string&) {}},
                                                    OperationEngine::Workers{2, kMostWorkers});
    }
    static constexpr unsigned kMostWorkers = 8;
    void SetUp() override { open(); }
    OperationView run(Plan plan) {
        const auto id = engine_->submit(
            {.verb = "make", .resource = "web1", .arguments = "", .prepare = [&plan] {
                 return std::move(plan);
             }});
        if (!id) {
            return {.status = OperationStatus::failed, .error = id.error()};
        }
        return engine_->wait(*id, Deadline::after(std::chrono::seconds(30))).value();
    }

    // Waits for the steps behind the answer too.
    bool settle() { return engine_->hold("look", "web1").has_value(); }

    test::TempDir directory_;
    EventBus events_;
    std::unique_ptr<db::Database> database_;
    std::unique_ptr<OperationLog> log_;
    std::unique_ptr<OperationEngine> engine_;
};

TEST_F(OperationFaults, LeaveNothingWhicheverStepFails) {
    constexpr int kSteps = 5;
    for (int k = 1; k <= kSteps + 1; ++k) {
        Ledger ledger{.fail_at = k};
        const OperationView view = run(plan_over(ledger, kSteps));
        const bool succeeded = view.status == OperationStatus::succeeded;
        EXPECT_EQ(succeeded, k > kSteps) << "failed at call " << k;
        EXPECT_EQ(ledger.live.size(), succeeded ? 5U : 0U) << "failed at call " << k;
    }
}

// An object that a step does not find is not the one of the request, which was found before.
TEST_F(OperationFaults, AreNeverAnsweredAsIfTheThingAskedForWereMissing) {
    for (int number = static_cast<int>(ErrorCode::invalid_argument);
         number <= static_cast<int>(ErrorCode::internal);
         ++number) {
        const auto code = static_cast<ErrorCode>(number);
        for (int k = 1; k <= 3; ++k) {
            Ledger ledger{.fail_at = k, .times = 2, .code = code};
            const OperationView view = run(plan_over(ledger, 3));
            ASSERT_TRUE(view.error) << to_string(code);
            const bool about_what_was_asked =
                code == ErrorCode::not_found || code == ErrorCode::permission_denied;
            EXPECT_EQ(view.error->code(), about_what_was_asked ? ErrorCode::kernel : code)
                << to_string(code) << " in step " << k;
        }
    }
}

TEST_F(OperationFaults, LeaveNothingWhicheverStatementOfTheLogFails) {
    for (int k = 1;; ++k) {
        Ledger ledger;
        int statements = 0;
        database_->set_fault_hook([&] {
            return ++statements == k ? Status(fail(ErrorCode::no_space, "injected")) : Status{};
        });
        const OperationView view = run(plan_over(ledger, 3));
        engine_->drain();
        database_->set_fault_hook({});
        const bool succeeded = view.status == OperationStatus::succeeded;
        EXPECT_EQ(ledger.live.size(), succeeded ? 3U : 0U) << "statement " << k;
        engine_.reset();
        open();
        if (statements < k) { // no statement has failed
            EXPECT_GT(k, 5) << "the beginning, three intents and the end are written at least";
            return;
        }
    }
}

TEST_F(OperationFaults, AreUndoneByTheNextDaemonFromTheLogAlone) {
    for (int died_in = 1; died_in <= 3; ++died_in) {
        Ledger ledger;
        LoggedOperation left{.id = Uuid::generate().value(),
                             .verb = "make",
                             .resource = "web1",
                             .arguments = "",
                             .boot_id = "boot"};
        ASSERT_TRUE(log_->begin(left));
        for (int i = 0; i < died_in; ++i) {
            const std::string name = "object " + std::to_string(i);
            ASSERT_TRUE(log_->intend(left.id, {"make", name}));
            if (i + 1 < died_in) {
                ledger.live.insert(name); // the last one was intended only
            }
        }
        const auto unfinished = log_->unfinished().value();
        ASSERT_EQ(unfinished.size(), 1U);
        engine_->recover(unfinished[0], plan_over(ledger, 3));
        EXPECT_TRUE(ledger.live.empty()) << "died in step " << died_in;
        EXPECT_EQ(ledger.unmade.size(), static_cast<std::size_t>(died_in));
        EXPECT_TRUE(log_->unfinished().value().empty());
    }
}

TEST_F(OperationFaults, AreRunToTheirEndWhenThatIsTheirRule) {
    Ledger ledger;
    LoggedOperation left{.id = Uuid::generate().value(),
                         .verb = "stop",
                         .resource = "web1",
                         .arguments = "",
                         .boot_id = "boot"};
    ASSERT_TRUE(log_->begin(left));
    ASSERT_TRUE(log_->intend(left.id, {"make", "object 0"}));
    Plan plan = plan_over(ledger, 3);
    plan.commit = 0;
    plan.on_recovery = OnRecovery::rerun;
    engine_->recover(log_->unfinished().value()[0], std::move(plan));
    EXPECT_EQ(ledger.live.size(), 3U);
}

TEST_F(OperationFaults, GoOnWhenWhatCannotBeUndoneFailsOnce) {
    for (int k = 1; k <= 6; ++k) {
        Ledger ledger{.fail_at = k};
        EXPECT_EQ(run(restart_over(ledger)).status, OperationStatus::succeeded) << k;
        EXPECT_TRUE(settle()) << k;
        EXPECT_EQ(ledger.live.size(), 5U) << k;
        const int expected = k == 6 ? 5 : k == 4 ? 7 : 6; // the fourth step begins with the third
        EXPECT_EQ(ledger.calls, expected) << k;
    }
}

TEST_F(OperationFaults, EndWhenItFailsAgain) {
    Ledger first{.fail_at = 2, .times = 2};
    EXPECT_EQ(run(restart_over(first)).status, OperationStatus::failed);
    EXPECT_EQ(first.calls, 3);
    EXPECT_EQ(first.live, std::set<std::string>{"object 0"});
    Ledger behind{.fail_at = 5, .times = 2};
    EXPECT_EQ(run(restart_over(behind)).status, OperationStatus::succeeded);
    EXPECT_TRUE(settle());
    EXPECT_EQ(behind.live.size(), 4U);
    EXPECT_EQ(behind.calls, 6);
}

TEST_F(OperationFaults, DoNotWaitOutATimeoutTwice) {
    Ledger ledger{.fail_at = 1, .code = ErrorCode::timeout};
    EXPECT_EQ(run(restart_over(ledger)).status, OperationStatus::failed);
    EXPECT_EQ(ledger.calls, 1);
}

// A step that waits for a cancel, and a step that is never reached.
TEST_F(OperationFaults, AreCancelledWhereTheyCanBeUndone) {
    for (const bool can_be_undone : {true, false}) {
        Ledger ledger;
        std::promise<void> begun;
        std::promise<void> asked;
        Plan plan = plan_over(ledger, 2);
        plan.on_recovery = can_be_undone ? OnRecovery::undo : OnRecovery::rerun;
        plan.steps[0].perform = [&]() -> Status {
            begun.set_value();
            asked.get_future().wait();
            return ledger.make("object 0");
        };
        const auto id = engine_->submit(
            {.verb = "make", .resource = "web1", .arguments = "", .prepare = [&plan] {
                 return std::move(plan);
             }});
        begun.get_future().wait();
        const Status cancelled = engine_->cancel(*id);
        asked.set_value();
        const auto view = engine_->wait(*id, Deadline::after(std::chrono::seconds(30)));
        EXPECT_EQ(cancelled.has_value(), can_be_undone);
        EXPECT_EQ(view->status,
                  can_be_undone ? OperationStatus::cancelled : OperationStatus::succeeded);
        EXPECT_EQ(ledger.live.size(), can_be_undone ? 0U : 2U);
        const Status late = engine_->cancel(*id);
        ASSERT_FALSE(late) << "it has ended";
        EXPECT_EQ(late.error().code(), ErrorCode::invalid_state);
        EXPECT_TRUE(settle());
    }
}

TEST_F(OperationFaults, AnswerBusyAndNameTheVerb) {
    std::mutex lock;
    lock.lock();
    Plan slow;
    slow.steps.push_back({"wait",
                          [&]() -> Status {
                              const std::lock_guard guard(lock);
                              return {};
                          },
                          {}});
    slow.commit = slow.answer = 1;
    const auto first =
        engine_->submit({.verb = "start", .resource = "web1", .arguments = "", .prepare = [&slow] {
                             return std::move(slow);
                         }});
    ASSERT_TRUE(first);
    Ledger ledger;
    const auto second =
        engine_->submit({.verb = "stop", .resource = "web1", .arguments = "", .prepare = [&ledger] {
                             return plan_over(ledger, 1);
                         }});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::busy);
    EXPECT_NE(second.error().message().find("start"), std::string::npos);
    lock.unlock();
    EXPECT_EQ(engine_->wait(*first, Deadline::after(std::chrono::seconds(30)))->status,
              OperationStatus::succeeded);
}

// More operations than the first workers: none waits for the end of another one.
TEST_F(OperationFaults, AreAllOnTheirWayTogether) {
    std::mutex lock;
    std::condition_variable all_came;
    unsigned came = 0;
    const auto meet = [&]() -> Status {
        std::unique_lock guard(lock);
        ++came;
        all_came.notify_all();
        return all_came.wait_for(
                   guard, std::chrono::seconds(30), [&] { return came == kMostWorkers; })
                   ? Status{}
                   : fail(ErrorCode::timeout, "the others have not begun");
    };
    std::vector<Uuid> operations;
    for (unsigned number = 0; number < kMostWorkers; ++number) {
        const auto id = engine_->submit({.verb = "stop",
                                         .resource = "web" + std::to_string(number),
                                         .arguments = "",
                                         .prepare = [&]() -> Result<Plan> {
                                             Plan plan;
                                             plan.steps.push_back({"halt", meet, {}});
                                             plan.commit = plan.answer = 1;
                                             return plan;
                                         }});
        ASSERT_TRUE(id);
        operations.push_back(*id);
    }
    for (const Uuid& id : operations) {
        EXPECT_EQ(engine_->wait(id, Deadline::after(std::chrono::seconds(60)))->status,
                  OperationStatus::succeeded);
    }
}

TEST_F(OperationFaults, WaitForOneThatMayYetBeRefused) {
    std::promise<void> looking;
    std::promise<void> looked;
    std::thread refused([&] {
        const auto first = engine_->submit(
            {.verb = "stop", .resource = "web1", .arguments = "", .prepare = [&]() -> Result<Plan> {
                 looking.set_value();
                 looked.get_future().wait();
                 return fail(ErrorCode::invalid_state, "collected already");
             }});
        EXPECT_FALSE(first);
    });
    looking.get_future().wait();
    Ledger ledger;
    auto second = std::async(std::launch::async, [&] { return run(plan_over(ledger, 1)).status; });
    EXPECT_EQ(second.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    looked.set_value();
    refused.join();
    EXPECT_EQ(second.get(), OperationStatus::succeeded);
}

} // namespace
} // namespace lodge::daemon
