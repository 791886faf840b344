#include "lib/db/database.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <stdlib.h>

namespace lodge::db {
namespace {

constexpr std::array<const char*, 2> kMigrations{
    "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER, b BLOB) STRICT",
    "ALTER TABLE t ADD COLUMN extra TEXT"};

class DatabaseTest : public ::testing::Test {
  protected:
    DatabaseTest() {
        if (::mkdtemp(directory_.data()) == nullptr) {
            throw std::runtime_error("mkdtemp failed");
        }
    }
    ~DatabaseTest() override { std::filesystem::remove_all(directory_); }
    std::string path() const { return directory_ + "/test.db"; }
    static Status
    put(Database& database, const std::string& key, Durability durability = Durability::process) {
        return database.write(durability, [&](Transaction& transaction) -> Status {
            RETURN_IF_ERROR(transaction.execute("INSERT INTO t (k, n, b) VALUES (?, ?, ?)",
                                                {key, std::int64_t{7}, Blob{1, 0, 2}}));
            return {};
        });
    }
    std::string directory_ = "/tmp/lodge-db-XXXXXX";
};

TEST_F(DatabaseTest, LeavesNothingOfADeletedRowInItsFiles) {
    const std::string secret = "wrapped-key-4c1d";
    const auto files = [&] {
        std::string all;
        for (const char* suffix : {"", "-wal"}) {
            std::ifstream file(path() + suffix, std::ios::binary);
            all.append(std::istreambuf_iterator<char>(file), {});
        }
        return all;
    };
    {
        const auto database = open_database(path(), kMigrations).value();
        ASSERT_TRUE(put(*database, secret));
        EXPECT_NE(files().find(secret), std::string::npos);
        ASSERT_TRUE(database->write(Durability::host, [](Transaction& transaction) -> Status {
            RETURN_IF_ERROR(transaction.execute("DELETE FROM t"));
            return {};
        }));
    } // closing folds the log into the database
    EXPECT_EQ(files().find(secret), std::string::npos);
}

TEST_F(DatabaseTest, AppliesMigrationsOnceAndRefusesANewerSchema) {
    {
        ASSERT_TRUE(
            put(*open_database(path(), std::span(kMigrations).subspan(0, 1)).value(), "old"));
    }
    {
        EXPECT_EQ(open_database(path(), kMigrations).value()->query("SELECT extra FROM t")->size(),
                  1U);
    }
    {
        EXPECT_TRUE(open_database(path(), kMigrations));
    }
    EXPECT_EQ(open_database(path(), std::span(kMigrations).subspan(0, 1)).error().code(),
              ErrorCode::unsupported);
}

TEST_F(DatabaseTest, CallsAForeignFileCorrupt) {
    {
        std::FILE* file = std::fopen(path().c_str(), "we");
        std::fputs("this is not a database at all, but long enough to be read as "
                   "one......................................................",
                   file);
        std::fclose(file);
    }
    EXPECT_EQ(open_database(path(), kMigrations).error().code(), ErrorCode::corrupt);
}

TEST_F(DatabaseTest, PassesAnInjectedFaultOn) {
    const auto database = open_database(path(), kMigrations).value();
    database->set_fault_hook([] { return Status(fail(ErrorCode::no_space, "injected")); });
    EXPECT_EQ(put(*database, "a").error().code(), ErrorCode::no_space);
    database->set_fault_hook({});
    EXPECT_TRUE(put(*database, "a"));
}

} // namespace
} // namespace lodge::db
