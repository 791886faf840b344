#pragma once

#include "lib/cgroup/groups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace lodge::test {

/// The guarantees of the control groups for their callers (lib/cgroup/groups.hpp). The tests run on
/// the fault tier's fake and on the real manager.
///
/// `Host` is a fixture that has `groups()`, with no group in it; `name()`, that of a container's
/// group; `enter()`, which puts an idle process into that group, which exists.
template <typename Host>
class GroupContract : public Host {
  protected:
    static constexpr std::uint32_t kOwner = 1'000'000;

    void make() {
        const auto made = this->groups().create(this->name(), {}, kOwner);
        ASSERT_TRUE(made) << made.error().to_string();
    }
    void expect_done(const Status& status) { EXPECT_TRUE(status) << status.error().to_string(); }
    bool is_frozen() {
        const auto frozen = this->groups().is_frozen(this->name());
        EXPECT_TRUE(frozen) << frozen.error().to_string();
        return frozen.value_or(false);
    }
    std::size_t processes() {
        const auto pids = this->groups().processes(this->name());
        EXPECT_TRUE(pids) << pids.error().to_string();
        return pids ? pids->size() : 0;
    }
    static Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }
};

TYPED_TEST_SUITE_P(GroupContract);

TYPED_TEST_P(GroupContract, AreListedFromCreateToRemove) {
    using ::testing::ElementsAre;
    using ::testing::IsEmpty;
    EXPECT_THAT(this->groups().list().value(), IsEmpty());
    ASSERT_NO_FATAL_FAILURE(this->make());
    ASSERT_NO_FATAL_FAILURE(this->make()); // in the place of a stale one
    EXPECT_THAT(this->groups().list().value(), ElementsAre(this->name()));
    this->expect_done(this->groups().remove(this->name()));
    EXPECT_THAT(this->groups().list().value(), IsEmpty());
}

TYPED_TEST_P(GroupContract, TakeWhatIsNotThereForDone) {
    cgroup::GroupManager& groups = this->groups();
    this->expect_done(groups.kill(this->name()));
    this->expect_done(groups.set_limits(this->name(), {}));
    this->expect_done(groups.freeze(this->name(), true));
    this->expect_done(groups.wait_frozen(this->name(), true, this->soon()));
    EXPECT_FALSE(this->is_frozen());
    this->expect_done(groups.wait_empty(this->name(), this->soon()));
    EXPECT_EQ(this->processes(), 0U);
    const auto killed = groups.out_of_memory(this->name());
    EXPECT_TRUE(killed && !*killed);
    this->expect_done(groups.remove(this->name()));
}

TYPED_TEST_P(GroupContract, EndTheirProcesses) {
    cgroup::GroupManager& groups = this->groups();
    ASSERT_NO_FATAL_FAILURE(this->make());
    ASSERT_NO_FATAL_FAILURE(this->enter());
    EXPECT_EQ(this->processes(), 1U);
    const auto again = groups.create(this->name(), {}, this->kOwner);
    ASSERT_FALSE(again) << "one lives in it";
    EXPECT_EQ(again.error().code(), ErrorCode::busy) << again.error().to_string();
    const Status early =
        groups.wait_empty(this->name(), Deadline::after(std::chrono::milliseconds(20)));
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code(), ErrorCode::timeout) << early.error().to_string();
    this->expect_done(groups.kill(this->name()));
    this->expect_done(groups.wait_empty(this->name(), this->soon()));
    EXPECT_EQ(this->processes(), 0U);
    this->expect_done(groups.remove(this->name()));
}

TYPED_TEST_P(GroupContract, AreFrozenUntilTheyAreThawedOrMadeAnew) {
    cgroup::GroupManager& groups = this->groups();
    ASSERT_NO_FATAL_FAILURE(this->make());
    EXPECT_FALSE(this->is_frozen());
    for (const bool frozen : {true, true, false, false, true}) {
        this->expect_done(groups.freeze(this->name(), frozen));
        this->expect_done(groups.wait_frozen(this->name(), frozen, this->soon()));
        EXPECT_EQ(this->is_frozen(), frozen);
    }
    ASSERT_NO_FATAL_FAILURE(this->make());
    EXPECT_FALSE(this->is_frozen());
    this->expect_done(groups.remove(this->name()));
}

REGISTER_TYPED_TEST_SUITE_P(GroupContract,
                            AreListedFromCreateToRemove,
                            TakeWhatIsNotThereForDone,
                            EndTheirProcesses,
                            AreFrozenUntilTheyAreThawedOrMadeAnew);

} // namespace lodge::test
