// The end of the engine with its daemon, and its locks and events until then.
#include "daemon/operations/engine.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <poll.h>

namespace lodge::daemon {
namespace {

using namespace std::chrono_literals;

Deadline soon() {
    return Deadline::after(test::patience(30s));
}

Deadline now() {
    return Deadline::after(0s);
}

std::size_t eventfds() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        count += std::filesystem::read_symlink(entry, gone) == "anon_inode:[eventfd]" ? 1U : 0U;
    }
    return count;
}

class EngineEnd : public ::testing::Test {
  protected:
    void open(std::function<void(const Event&)> witness = {}) {
        engine_.reset();
        events_ = std::make_unique<EventBus>(std::move(witness));
        engine_ = std::make_unique<OperationEngine>(EngineParts{.log = log_,
                                                                .events = *events_,
                                                                .boot_id = "boot",
                                                                .warn = [](const std::string&) {}},
                                                    OperationEngine::Workers{2, 2});
    }
    Uuid submit(Plan plan, const std::string& resource = "web1") {
        const auto id = engine_->submit(
            {.verb = "make", .resource = resource, .arguments = "", .prepare = [&plan] {
                 return std::move(plan);
             }});
        EXPECT_TRUE(id) << id.error().to_string();
        return id ? *id : Uuid{};
    }
    // Three steps; the second is `middle`.
    Plan plan_around(std::function<Status()> middle) {
        Plan plan;
        const auto undo = [this] { return ++undone_, Status{}; };
        plan.steps.push_back({"first", [] { return Status{}; }, undo});
        plan.steps.push_back({"middle", std::move(middle), undo});
        plan.steps.push_back({"last", [this] { return ++last_, Status{}; }, undo});
        plan.commit = plan.answer = plan.steps.size();
        return plan;
    }
    // The intended steps that the next daemon finds in the log; empty: no operation is left.
    std::vector<std::string> left() {
        const auto unfinished = log_.unfinished();
        EXPECT_TRUE(unfinished);
        std::vector<std::string> steps;
        for (const StepId& step :
             unfinished->empty() ? std::vector<StepId>{} : unfinished->front().intended) {
            steps.push_back(step.to_string());
        }
        return steps;
    }
    OperationEngine& engine() { return *engine_; }
    EventBus& events() { return *events_; }
    [[nodiscard]] int undone() const { return undone_; }
    [[nodiscard]] int last() const { return last_; }

  private:
    test::TempDir directory_;
    std::unique_ptr<db::Database> database_ = open_store(directory_.path() + "/lodge.db").value();
    OperationLog log_{*database_};
    std::atomic<int> undone_ = 0;
    std::atomic<int> last_ = 0;
    std::unique_ptr<EventBus> events_;
    std::unique_ptr<OperationEngine> engine_;
};

using Steps = std::vector<std::string>;

TEST_F(EngineEnd, LetsWhatIsOnItsWayComeToItsEnd) {
    open();
    std::promise<void> begun;
    std::promise<void> go_on;
    const Uuid id = submit(plan_around([&] {
        begun.set_value();
        go_on.get_future().wait();
        return Status{};
    }));
    begun.get_future().wait();
    auto ended = std::async(std::launch::async, [&] { return engine().end(soon(), soon()); });
    go_on.set_value();
    EXPECT_TRUE(ended.get());
    EXPECT_EQ(engine().get(id)->status, OperationStatus::succeeded);
    EXPECT_EQ(left(), Steps{});
}

TEST_F(EngineEnd, LeavesWhatDoesNotToTheNextDaemonAsAKillDoes) {
    open();
    std::promise<void> begun;
    std::promise<void> go_on;
    const Uuid id = submit(plan_around([&] {
        begun.set_value();
        go_on.get_future().wait();
        return Status{};
    }));
    begun.get_future().wait();
    auto waits = std::async(std::launch::async, [&] { return engine().wait(id, soon()); });
    EXPECT_FALSE(engine().end(now(), now())) << "it is in its step";
    const auto waited = waits.get();
    ASSERT_FALSE(waited) << "nobody waits for what will not come";
    EXPECT_EQ(waited.error().code(), ErrorCode::unreachable);
    go_on.set_value();
    EXPECT_TRUE(engine().end(now(), soon()));
    EXPECT_EQ(engine().get(id)->status, OperationStatus::running);
    EXPECT_EQ(left(), (Steps{"first", "middle"}));
    EXPECT_EQ(undone(), 0);
    EXPECT_EQ(last(), 0);
}

TEST_F(EngineEnd, LeavesAtOnceWhatLooksAtItsEnd) {
    open();
    Uuid id;
    std::promise<Uuid> known;
    auto knows = known.get_future().share();
    std::promise<void> begun;
    id = submit(plan_around([this, knows, &begun]() -> Status {
        begun.set_value();
        pollfd wait{.fd = engine().cancel_fd(knows.get()), .events = POLLIN, .revents = 0};
        return ::poll(&wait, 1, -1) == 1 ? fail(ErrorCode::cancelled, "as a build") : Status{};
    }));
    known.set_value(id);
    begun.get_future().wait();
    EXPECT_TRUE(engine().end(soon(), soon()));
    EXPECT_EQ(left(), (Steps{"first", "middle"}));
    EXPECT_EQ(undone(), 0);
}

// A step that watches the events is woken before end() begins.
TEST_F(EngineEnd, LeavesWhatSawTheEventsEndFirst) {
    open();
    std::promise<void> begun;
    const Uuid id = submit(plan_around([this, &begun]() -> Status {
        begun.set_value();
        pollfd wait{.fd = events().closed_fd(), .events = POLLIN, .revents = 0};
        return ::poll(&wait, 1, -1) == 1 ? fail(ErrorCode::cancelled, "as a halt") : Status{};
    }));
    begun.get_future().wait();
    events().close();
    while (!engine().busy_with("web1").empty()) { // it is left when the step returns
    }
    EXPECT_TRUE(engine().end(soon(), soon()));
    EXPECT_EQ(engine().get(id)->status, OperationStatus::running);
    EXPECT_EQ(left(), (Steps{"first", "middle"}));
    EXPECT_EQ(undone(), 0);
}

TEST_F(EngineEnd, UndoesWhatSomebodyCancelledBefore) {
    open();
    std::promise<void> begun;
    std::promise<void> go_on;
    const Uuid id = submit(plan_around([&]() -> Status {
        begun.set_value();
        go_on.get_future().wait();
        return fail(ErrorCode::cancelled, "as a build");
    }));
    begun.get_future().wait();
    EXPECT_TRUE(engine().cancel(id));
    auto ended = std::async(std::launch::async, [&] { return engine().end(soon(), soon()); });
    go_on.set_value();
    EXPECT_TRUE(ended.get());
    EXPECT_EQ(undone(), 2);
    EXPECT_EQ(left(), Steps{});
}

TEST_F(EngineEnd, TakesNoOperationAfterwards) {
    open();
    EXPECT_TRUE(engine().end(now(), now()));
    const auto late = engine().submit(
        {.verb = "make", .resource = "web1", .arguments = "", .prepare = [] { return Plan{}; }});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), ErrorCode::unreachable);
}

TEST_F(EngineEnd, WhatHasEndedHoldsNoDescriptor) {
    open();
    const std::size_t before = eventfds();
    for (int i = 0; i < 20; ++i) {
        const std::string name = "web" + std::to_string(i);
        (void)engine().wait(submit(plan_around([] { return Status{}; }), name), soon());
        EXPECT_TRUE(engine().hold("look", name)); // after its clean-up
    }
    EXPECT_EQ(engine().list().size(), 20U) << "they are kept";
    EXPECT_EQ(eventfds(), before);
}

// A log that nobody reads blocks only the threads that write to it.
TEST_F(EngineEnd, ALogThatBlocksHoldsUpNoRequest) {
    std::promise<void> blocked;
    std::promise<void> go_on;
    open([&](const Event& event) {
        if (event.what == "progress") {
            blocked.set_value();
            go_on.get_future().wait();
        }
    });
    const Uuid id = Uuid::generate().value();
    const auto submitted = engine().submit(
        {.verb = "make", .resource = "web1", .arguments = "", .id = id, .prepare = [&] {
             return Result<Plan>(
                 plan_around([this, id] { return engine().progress(id, "unpack"), Status{}; }));
         }});
    ASSERT_TRUE(submitted);
    blocked.get_future().wait();
    auto asked = std::async(std::launch::async, [&] { return engine().list().size(); });
    EXPECT_EQ(asked.wait_for(test::patience(10s)), std::future_status::ready);
    go_on.set_value();
    EXPECT_EQ(asked.get(), 1U);
    EXPECT_EQ(engine().wait(id, soon())->status, OperationStatus::succeeded);
}

// Without memory for the events of an operation it is done all the same, and the daemon lives on.
TEST_F(EngineEnd, SurvivesWantOfMemory) {
    open([](const Event&) { throw std::bad_alloc(); });
    const Uuid id = submit(plan_around([]() -> Status { throw std::bad_alloc(); }));
    const auto view = engine().wait(id, soon());
    ASSERT_TRUE(view && view->error);
    EXPECT_EQ(view->error->code(), ErrorCode::resource_exhausted);
    EXPECT_EQ(undone(), 2);
    const Uuid next = submit(plan_around([] { return Status{}; }), "web2");
    EXPECT_EQ(engine().wait(next, soon())->status, OperationStatus::succeeded);
}

} // namespace
} // namespace lodge::daemon
