#include "daemon/autostart/boot_sequence.hpp"
#include "lib/model/policy.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lodge {
namespace {

using daemon::Candidate;
using model::OnBoot;
using model::RestartWhen;
using std::chrono::seconds;

Candidate candidate(const std::string& name, OnBoot onboot, bool was_up, std::uint32_t order = 0) {
    Candidate made;
    made.container.uuid = Uuid::generate().value();
    made.container.spec.name = name;
    made.container.spec.boot = {.onboot = onboot, .order = order};
    made.was_up = was_up;
    return made;
}

std::vector<std::string> names(const std::vector<Candidate>& candidates) {
    std::vector<std::string> found;
    for (const daemon::PlannedStart& start : daemon::boot_sequence(candidates, 0)) {
        for (const Candidate& one : candidates) {
            if (one.container.uuid == start.container) {
                found.push_back(one.container.spec.name);
            }
        }
    }
    return found;
}

using Names = std::vector<std::string>;

TEST(BootSequence, TakesWhatIsToRunAndNothingElse) {
    Candidate resumes = candidate("resumes", OnBoot::automatic, false);
    resumes.container.resume = true;
    Candidate waits = candidate("waits", OnBoot::automatic, false);
    waits.container.start_at = 5;
    Candidate never = candidate("never", OnBoot::no, true);
    never.container.resume = true;
    EXPECT_EQ(names({candidate("always", OnBoot::yes, false),
                     candidate("ran", OnBoot::automatic, true),
                     candidate("rested", OnBoot::automatic, false),
                     resumes,
                     waits,
                     never}),
              (Names{"always", "ran", "resumes", "waits"}));
}

TEST(BootSequence, GoesFromTheHighestOrderDownAndByNameAmongEquals) {
    EXPECT_EQ(names({candidate("c", OnBoot::yes, false, 1),
                     candidate("b", OnBoot::yes, false, 1),
                     candidate("z", OnBoot::yes, false, 9),
                     candidate("a", OnBoot::yes, false)}),
              (Names{"z", "b", "c", "a"}));
}

TEST(BootSequence, DelaysWhatComesBehind) {
    Candidate slow = candidate("a", OnBoot::yes, false, 2);
    slow.container.spec.boot.delay_seconds = 3;
    const auto starts = daemon::boot_sequence({candidate("b", OnBoot::yes, false, 1), slow}, 1000);
    ASSERT_EQ(starts.size(), 2U);
    EXPECT_EQ(starts[0], (daemon::PlannedStart{slow.container.uuid, 1000}));
    EXPECT_EQ(starts[1].at, 4000);
}

TEST(RestartPolicy, SaysWhenAndWhetherToRestart) {
    const model::RestartPolicy no;
    const model::RestartPolicy on_failure{.when = RestartWhen::on_failure, .backoff_seconds = 2};
    const model::RestartPolicy always{.when = RestartWhen::always, .limit = 3};
    EXPECT_EQ(model::restart_delay(no, true, 0), std::nullopt);
    EXPECT_EQ(model::restart_delay(on_failure, false, 0), std::nullopt);
    EXPECT_EQ(model::restart_delay(on_failure, true, 0), seconds(2));
    EXPECT_EQ(model::restart_delay(on_failure, true, 3), seconds(16));
    EXPECT_EQ(model::restart_delay(on_failure, true, 4'000'000'000), seconds(300));
    EXPECT_EQ(model::restart_delay(always, false, 2), seconds(4));
    EXPECT_EQ(model::restart_delay(always, true, 3), std::nullopt);
}

TEST(RestartPolicy, WithoutABackoffOnlyTheFirstRestartIsImmediate) {
    const model::RestartPolicy policy{.when = RestartWhen::always, .backoff_seconds = 0};
    EXPECT_EQ(model::restart_delay(policy, true, 0), seconds(0));
    EXPECT_EQ(model::restart_delay(policy, true, 1), seconds(1));
    EXPECT_EQ(model::restart_delay(policy, true, 2), seconds(2));
}

TEST(RestartPolicy, LetsAContainerThatOnlyRebootsWaitLongerEachTime) {
    std::vector<std::int64_t> delays;
    for (std::uint32_t restarts = 0; restarts < 12; ++restarts) {
        delays.push_back(model::reboot_delay(restarts).count());
    }
    EXPECT_EQ(delays, (std::vector<std::int64_t>{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}));
}

TEST(Policies, RefuseWhatIsOutOfRange) {
    EXPECT_TRUE(model::validate(model::BootPolicy{.order = 9999, .delay_seconds = 3600}));
    EXPECT_FALSE(model::validate(model::BootPolicy{.order = 10000}));
    EXPECT_FALSE(model::validate(model::BootPolicy{.delay_seconds = 3601}));
    EXPECT_TRUE(model::validate(model::RestartPolicy{.backoff_seconds = 300}));
    EXPECT_FALSE(model::validate(model::RestartPolicy{.backoff_seconds = 301}));
}

} // namespace
} // namespace lodge
