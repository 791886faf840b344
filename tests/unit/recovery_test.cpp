#include "daemon/recovery/recovery.hpp"

#include <gtest/gtest.h>

namespace lodge::daemon {
namespace {

using model::State;

// The truth table of daemon/README.md, row by row.
TEST(RecoveryDecision, FollowsItsTruthTable) {
    struct Line {
        Sighting seen;
        Recovery expected;
        const char* what;
    };
    const Line lines[] = {
        {{}, Recovery::nothing, "nothing at all"},
        {{.has_monitor = true}, Recovery::sweep, "a monitor that no row claims"},
        {{.has_group = true}, Recovery::sweep, "a group that no row claims"},
        {{.has_directory = true}, Recovery::sweep, "a directory that no row claims"},
        {{.has_row = true, .has_directory = true}, Recovery::remove_row, "a create without an end"},
        {{.has_row = true, .published = true}, Recovery::nothing, "stopped and quiet"},
        {{.has_row = true, .published = true, .has_monitor = true},
         Recovery::stop,
         "stopped, yet watched"},
        {{.has_row = true, .published = true, .has_group = true},
         Recovery::stop,
         "stopped, yet grouped"},
        {{.has_row = true, .published = true, .state = State::running, .has_monitor = true},
         Recovery::take_up,
         "running"},
        {{.has_row = true,
          .published = true,
          .state = State::frozen,
          .has_monitor = true,
          .has_group = true,
          .group_frozen = true},
         Recovery::take_up,
         "frozen"},
        {{.has_row = true,
          .published = true,
          .state = State::frozen,
          .has_monitor = true,
          .has_group = true},
         Recovery::take_up_as_recorded,
         "frozen, and somebody thawed it"},
        {{.has_row = true,
          .published = true,
          .state = State::running,
          .has_monitor = true,
          .has_group = true,
          .group_frozen = true},
         Recovery::take_up_as_recorded,
         "running, and somebody froze it"},
        {{.has_row = true,
          .published = true,
          .state = State::frozen,
          .has_monitor = true,
          .init_ended = true,
          .has_group = true,
          .group_frozen = true},
         Recovery::stop,
         "killed while it was frozen"},
        {{.has_row = true,
          .published = true,
          .state = State::running,
          .has_monitor = true,
          .init_ended = true},
         Recovery::stop,
         "its init ended while nobody looked"},
        {{.has_row = true, .published = true, .state = State::running, .has_group = true},
         Recovery::stop,
         "its monitor is gone"},
        {{.has_row = true, .published = true, .state = State::running, .this_boot = false},
         Recovery::mark_stopped,
         "the host was booted"},
    };
    for (const Line& line : lines) {
        EXPECT_EQ(decide(line.seen), line.expected) << line.what;
    }
}

} // namespace
} // namespace lodge::daemon
