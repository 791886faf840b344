#pragma once

#include "lib/db/database.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace lodge::test {

/// The guarantees of a database for its callers (lib/db/database.hpp). The tests run on the real
/// one and on that of the fault tier, in which each call can fail.
///
/// `Host` is a fixture that has `database()`, empty, with the table of kMigrations.
template <typename Host>
class DatabaseContract : public Host {
  public:
    static constexpr std::array<const char*, 1> kMigrations{
        "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER, b BLOB, extra TEXT) STRICT"};

  protected:
    Status put(const std::string& key) {
        return this->database().write(
            db::Durability::process, [&](db::Transaction& transaction) -> Status {
                RETURN_IF_ERROR(transaction.execute("INSERT INTO t (k, n, b) VALUES (?, ?, ?)",
                                                    {key, std::int64_t{7}, db::Blob{1, 0, 2}}));
                return {};
            });
    }
    std::size_t rows_in(db::Source& source) {
        const auto rows = source.query("SELECT * FROM t");
        EXPECT_TRUE(rows) << rows.error().to_string();
        return rows ? rows->size() : 0;
    }
};

TYPED_TEST_SUITE_P(DatabaseContract);

TYPED_TEST_P(DatabaseContract, ShowsWhatWasCommitted) {
    EXPECT_EQ(this->rows_in(this->database()), 0U);
    ASSERT_TRUE(this->put("a"));
    const auto rows =
        this->database().query("SELECT k, n, b, extra FROM t WHERE k = ?", {std::string("a")});
    ASSERT_TRUE(rows) << rows.error().to_string();
    ASSERT_EQ(rows->size(), 1U);
    EXPECT_EQ(db::text((*rows)[0][0]), "a");
    EXPECT_EQ(db::integer((*rows)[0][1]), 7);
    EXPECT_EQ(db::blob((*rows)[0][2]), (db::Blob{1, 0, 2}));
    EXPECT_TRUE(db::is_null((*rows)[0][3]));
}

TYPED_TEST_P(DatabaseContract, RollsBackWhatFailed) {
    const Status failed =
        this->database().write(db::Durability::host, [](db::Transaction& transaction) -> Status {
            RETURN_IF_ERROR(transaction.execute("INSERT INTO t (k) VALUES ('a')"));
            return fail(ErrorCode::cancelled, "no");
        });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::cancelled);
    EXPECT_EQ(this->rows_in(this->database()), 0U);
}

TYPED_TEST_P(DatabaseContract, TellsOfAKeyThatIsTaken) {
    ASSERT_TRUE(this->put("a"));
    const Status again = this->put("a");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::already_exists) << again.error().to_string();
    EXPECT_EQ(this->rows_in(this->database()), 1U);
}

TYPED_TEST_P(DatabaseContract, ShowsATransactionItsOwnChangesAndTheirNumber) {
    ASSERT_TRUE(this->put("a"));
    const Status written = this->database().write(
        db::Durability::process, [this](db::Transaction& transaction) -> Status {
            ASSIGN_OR_RETURN(const int changed,
                             transaction.execute("INSERT INTO t (k) VALUES ('b'), ('c')"));
            EXPECT_EQ(changed, 2);
            EXPECT_EQ(this->rows_in(transaction), 3U);
            return {};
        });
    EXPECT_TRUE(written) << written.error().to_string();
    EXPECT_EQ(this->rows_in(this->database()), 3U);
}

TYPED_TEST_P(DatabaseContract, CopiesWhatIsCommitted) {
    ASSERT_TRUE(this->put("a"));
    const TempDir directory;
    const std::string path = directory.path() + "/copy.db";
    const Status copied = this->database().copy_to(path);
    ASSERT_TRUE(copied) << copied.error().to_string();
    ASSERT_TRUE(this->put("b"));
    const auto copy = db::open_database(path, this->kMigrations);
    ASSERT_TRUE(copy) << copy.error().to_string();
    EXPECT_EQ(this->rows_in(**copy), 1U);
    EXPECT_TRUE(this->database().empty_log());
    EXPECT_EQ(this->rows_in(this->database()), 2U);
}

REGISTER_TYPED_TEST_SUITE_P(DatabaseContract,
                            ShowsWhatWasCommitted,
                            RollsBackWhatFailed,
                            TellsOfAKeyThatIsTaken,
                            ShowsATransactionItsOwnChangesAndTheirNumber,
                            CopiesWhatIsCommitted);

} // namespace lodge::test
