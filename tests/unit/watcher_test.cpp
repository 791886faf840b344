#include "daemon/runtime/watcher.hpp"
#include "tests/support/patience.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <queue>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

namespace lodge::daemon {
namespace {

using namespace std::chrono_literals;
using Answer = Result<MonitorStatus>;

const MonitorStatus kHalted{.init = {.pid = 100, .start_time = 1},
                            .exit = InitExit{.kind = InitExit::Kind::halted, .status = 0}};

/// Has `news` from the start on; each question gets the next answer, and the last one for ever.
class NewsMonitor final : public Monitor {
  public:
    explicit NewsMonitor(std::queue<Answer> answers, unsigned news = 1)
        : answers_(std::move(answers)), news_(::eventfd(news, EFD_CLOEXEC)) {}
    Answer status() override {
        ++asked;
        Answer answer = answers_.front();
        if (answers_.size() > 1) {
            answers_.pop();
        }
        return answer;
    }
    Result<Halting> ask_to_halt(const HaltRequest&) override { return Halting::gone; }
    Status signal_init(int) override { return {}; }
    Status exec(const ExecRequest&, const TakeClient&) override { return {}; }
    Status console(const TakeClient&) override { return {}; }
    Result<std::string> console_log() override { return std::string(); }
    Status release() override { return {}; }
    int event_fd() const override { return news_.get(); }

    std::atomic<int> asked = 0;

  private:
    std::queue<Answer> answers_;
    UniqueFd news_;
};

// A watcher that is about to end takes its callback back: what that uses goes next.
TEST(MonitorRegistryTest, CallsNobodyWhoHasTakenHisCallbackBack) {
    MonitorRegistry registry;
    std::promise<void> called;
    std::promise<void> asked;
    std::atomic<bool> taken_back = false;
    std::atomic<bool> while_it_ran = false;
    registry.on_change([&] {
        called.set_value();
        asked.get_future().wait();
        (void)::poll(nullptr, 0, 50); // not waiting for anything: the other one has its chance
        while_it_ran = taken_back.load();
    });
    std::thread changes([&] { registry.remove(Uuid{}); });
    called.get_future().wait();
    std::thread owner([&] {
        asked.set_value();
        registry.on_change({});
        taken_back = true;
    });
    changes.join();
    owner.join();
    EXPECT_FALSE(while_it_ran);
}

class WatcherTest : public ::testing::Test {
  protected:
    /// Watches over one container until its exit was told `times` times; the last one told.
    std::optional<InitExit> watch(std::queue<Answer> answers, int times = 1) {
        monitor_ = std::make_shared<NewsMonitor>(std::move(answers));
        registry_.put(uuid_, monitor_);
        std::promise<std::optional<InitExit>> last;
        auto told = last.get_future();
        int left = times;
        const Watcher watcher(
            registry_,
            [&](const Uuid& uuid, const Monitor&, const std::optional<InitExit>& exit) {
                EXPECT_EQ(uuid, uuid_);
                if (--left == 0) {
                    registry_.remove(uuid_); // as a stop does
                    last.set_value(exit);
                }
            },
            1ms);
        EXPECT_EQ(told.wait_for(test::patience(20s)), std::future_status::ready);
        return told.get();
    }

    const Uuid uuid_ = Uuid::generate().value();
    MonitorRegistry registry_;
    std::shared_ptr<NewsMonitor> monitor_;
};

TEST_F(WatcherTest, TellsHowInitEnded) {
    const auto exit = watch(std::queue<Answer>({kHalted}));
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->kind, InitExit::Kind::halted);
}

TEST_F(WatcherTest, TellsAgainUntilItIsActedOn) {
    EXPECT_TRUE(watch(std::queue<Answer>({kHalted}), 3));
    EXPECT_EQ(monitor_->asked, 3);
}

TEST_F(WatcherTest, TellsThatAMonitorIsGoneOrHangs) {
    EXPECT_FALSE(watch(std::queue<Answer>({fail(ErrorCode::not_found, "gone")})));
    EXPECT_FALSE(watch(std::queue<Answer>({fail(ErrorCode::timeout, "hangs")})));
}

TEST_F(WatcherTest, AsksAgainWhenItCouldNotAsk) {
    const auto exit =
        watch(std::queue<Answer>({fail(ErrorCode::resource_exhausted, "no descriptor"),
                                  fail(ErrorCode::kernel, "another"),
                                  kHalted}));
    ASSERT_TRUE(exit) << "no death of the monitor";
    EXPECT_EQ(monitor_->asked, 3);
}

TEST_F(WatcherTest, ForgetsNewsThatAreNone) {
    MonitorStatus running = kHalted;
    running.exit.reset();
    EXPECT_TRUE(watch(std::queue<Answer>({running, running, kHalted})));
}

// poll(2) takes no more descriptors than RLIMIT_NOFILE says.
TEST_F(WatcherTest, OutlivesALimitThatTakesNoMoreDescriptors) {
    MonitorStatus running = kHalted;
    running.exit.reset();
    monitor_ = std::make_shared<NewsMonitor>(std::queue<Answer>({running}), 0);
    registry_.put(uuid_, monitor_);
    std::promise<void> told;
    const Watcher watcher(
        registry_,
        [&](const Uuid& uuid, const Monitor&, const std::optional<InitExit>&) {
            registry_.remove(uuid);
            told.set_value();
        },
        1ms);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit low{.rlim_cur = 1, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    registry_.put(uuid_, monitor_); // wakes it
    const Deadline deadline = Deadline::after(test::patience(20s));
    while (monitor_->asked == 0 && !deadline.expired()) {
        std::this_thread::yield(); // asked without news: poll(2) has failed
    }
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_GT(monitor_->asked, 0);
    const auto halted = std::make_shared<NewsMonitor>(std::queue<Answer>({kHalted}));
    registry_.put(uuid_, halted);
    EXPECT_EQ(told.get_future().wait_for(test::patience(20s)), std::future_status::ready);
}

} // namespace
} // namespace lodge::daemon
