#include "daemon/event_log.hpp"

#include <gtest/gtest.h>

namespace lodge::daemon {

namespace {

Event ended(OperationStatus status, std::optional<Error> error = {}) {
    OperationView view{.verb = "start", .resource = "web1", .status = status};
    view.error = std::move(error);
    view.started_at = 1000;
    view.ended_at = 1034;
    return {.kind = "operation", .resource = "web1", .what = "ended", .operation = view};
}

TEST(EventLog, TellsHowAnOperationEnded) {
    EXPECT_EQ(describe(ended(OperationStatus::succeeded)), "start 'web1' done in 34 ms");
    EXPECT_EQ(describe(ended(OperationStatus::failed,
                             Error(ErrorCode::kernel, "no loop").context("start 'web1'"))),
              "start 'web1': no loop, after 34 ms");
}

TEST(EventLog, TellsOfContainersButNotOfSteps) {
    EXPECT_EQ(
        describe(
            {.kind = "container", .resource = "web1", .what = "crashed", .detail = "exit code 3"}),
        "container 'web1' crashed: exit code 3");
    Event step = ended(OperationStatus::running);
    step.what = "progress";
    EXPECT_EQ(describe(step), "");
}

TEST(EventLog, TellsWhatRecoveryDid) {
    EXPECT_EQ(describe({.kind = "daemon",
                        .resource = "web1",
                        .what = "mended",
                        .detail = "stop: its monitor was killed"}),
              "recovery: 'web1' mended: stop: its monitor was killed");
    EXPECT_EQ(describe({.kind = "daemon",
                        .resource = "lodged",
                        .what = "recovered",
                        .detail = "took up 2, saw to 1 other things in 3 ms"}),
              "recovery: took up 2, saw to 1 other things in 3 ms");
    EXPECT_EQ(describe({.kind = "daemon", .what = kHostStartsUp}), "host starts up");
}

} // namespace

} // namespace lodge::daemon
