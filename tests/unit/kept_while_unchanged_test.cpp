#include "daemon/store/kept_while_unchanged.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace lodge::daemon {
namespace {

class Kept : public ::testing::Test {
  protected:
    using Numbers = KeptWhileUnchanged<int>;

    // As a reader that needs its time: `meanwhile` happens between its look and its end.
    int read(const std::function<void()>& meanwhile = {}) {
        return numbers_
            .get([&]() -> Result<int> {
                const int seen = number_;
                ++reads_;
                if (meanwhile) {
                    meanwhile();
                }
                return seen;
            })
            .value();
    }
    void write(int number) {
        const Numbers::Change change(numbers_);
        number_ = number;
    }

    Numbers numbers_;
    int number_ = 1;
    int reads_ = 0;
};

TEST_F(Kept, IsReadOnceUntilItChanges) {
    EXPECT_EQ(read(), 1);
    EXPECT_EQ(read(), 1);
    EXPECT_EQ(reads_, 1);
    write(2);
    EXPECT_EQ(read(), 2);
    EXPECT_EQ(read(), 2);
    EXPECT_EQ(reads_, 2);
}

TEST_F(Kept, KeepsNothingThatAChangeOvertook) {
    EXPECT_EQ(read([this] { write(2); }), 1) << "it was asked for before";
    EXPECT_EQ(read(), 2);
}

TEST_F(Kept, KeepsNothingWhileAChangeIsUnderWay) {
    std::optional<Numbers::Change> change(std::in_place, numbers_);
    EXPECT_EQ(read(), 1);
    number_ = 2;
    EXPECT_EQ(read(), 2);
    // Nor of a reading that begins in one change and ends in the next.
    EXPECT_EQ(read([&] {
                  change.reset();
                  change.emplace(numbers_);
                  number_ = 3;
              }),
              2);
    change.reset();
    EXPECT_EQ(read(), 3);
}

TEST_F(Kept, KeepsNoFailure) {
    EXPECT_FALSE(numbers_.get([] { return Result<int>(fail(ErrorCode::busy, "no")); }));
    EXPECT_EQ(read(), 1);
}

} // namespace
} // namespace lodge::daemon
