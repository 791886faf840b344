#include "daemon/store/backups.hpp"
#include "daemon/store/store.hpp"
#include "lib/base/clock.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

namespace lodge::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::time_t kDay = 24 * 60 * 60;
constexpr std::time_t kSomeDay = 1'763'683'200; ///< 2025-11-21T00:00:00Z

class BackupsTest : public ::testing::Test {
  protected:
    std::string place() const { return directory_.path() + "/backups"; }
    std::set<std::string> copies() const {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(place())) {
            names.insert(entry.path().filename().string());
        }
        return names;
    }
    void put(const std::string& name) {
        ASSERT_TRUE(TemplateRepository(*database_).put({.name = name, .digest = "sha256:0"}));
    }

    test::TempDir directory_;
    std::unique_ptr<db::Database> database_ = open_store(directory_.path() + "/lodge.db").value();
    Backups backups_{place(), 3};
};

TEST_F(BackupsTest, AreDatabasesOfTheirDay) {
    ASSERT_NO_FATAL_FAILURE(put("one"));
    ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay));
    ASSERT_NO_FATAL_FAILURE(put("two"));
    ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay + kDay - 1)) << "the same day";
    EXPECT_EQ(copies(), std::set<std::string>{"lodge-20251121.db"});
    const std::string copy = place() + "/lodge-20251121.db";
    EXPECT_EQ(fs::status(copy).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    const auto opened = open_store(copy);
    ASSERT_TRUE(opened) << opened.error().to_string();
    const auto names = TemplateRepository(**opened).list().value();
    ASSERT_EQ(names.size(), 1U) << "as it was then";
    EXPECT_EQ(names[0].name, "one");
}

TEST_F(BackupsTest, AreKeptInTheNumberAskedFor) {
    ASSERT_TRUE(backups_.take_before_migration(*database_, 1));
    fs::create_directories(place());
    {
        std::ofstream(place() + "/lodge-mine.db") << "an operator's";
    }
    for (int day = 0; day < 5; ++day) {
        ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay + day * kDay));
    }
    EXPECT_EQ(copies(),
              (std::set<std::string>{"lodge-20251123.db",
                                     "lodge-20251124.db",
                                     "lodge-20251125.db",
                                     "lodge-mine.db",
                                     "lodge-schema-1.db"}));
    EXPECT_TRUE(Backups(directory_.path() + "/none", 0).take_daily(*database_, kSomeDay));
    EXPECT_FALSE(fs::exists(directory_.path() + "/none"));
}

TEST_F(BackupsTest, ReplaceWhatAnInterruptedOneLeft) {
    fs::create_directories(place());
    {
        std::ofstream(place() + "/lodge-20251121.db.new") << "half";
    }
    {
        std::ofstream(place() + "/lodge-20251121.db.new-journal") << "its journal";
    }
    ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay));
    EXPECT_EQ(copies(), std::set<std::string>{"lodge-20251121.db"});
    EXPECT_TRUE(open_store(place() + "/lodge-20251121.db"));
}

TEST_F(BackupsTest, TellWhyNoneCouldBeMade) {
    {
        std::ofstream(place()) << "a file where the directory should be";
    }
    const Status taken = backups_.take_daily(*database_, kSomeDay);
    ASSERT_FALSE(taken);
    EXPECT_NE(taken.error().to_string().find(place()), std::string::npos)
        << taken.error().to_string();
}

TEST_F(BackupsTest, HoldNoWriterUp) {
    // A copy while a write is on its way: neither waits for the other.
    const Status written =
        database_->write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
            RETURN_IF_ERROR(transaction.execute(
                "INSERT INTO operation VALUES ('1', 'verb', 'resource', '', '')"));
            return backups_.take_daily(*database_, kSomeDay);
        });
    ASSERT_TRUE(written) << written.error().to_string();
    const auto copy = open_store(place() + "/lodge-20251121.db").value();
    EXPECT_TRUE(OperationLog(*copy).unfinished().value().empty()) << "it was not yet committed";
}

TEST_F(BackupsTest, AreTakenInTheBackground) {
    {
        const DailyBackup daily(
            *database_, backups_, [](const std::string& warning) { ADD_FAILURE() << warning; });
        const Deadline deadline = Deadline::after(test::patience(std::chrono::seconds(10)));
        while (!fs::exists(place()) || copies().empty()) {
            ASSERT_FALSE(deadline.expired());
            std::this_thread::yield();
        }
    }
    EXPECT_EQ(copies().size(), 1U) << "the end waits for one on its way";
}

TEST(Migrations, KeepACopyOfWhatWasBefore) {
    constexpr std::array<const char*, 2> kMigrations{"CREATE TABLE t (k TEXT PRIMARY KEY) STRICT",
                                                     "ALTER TABLE t ADD COLUMN extra TEXT"};
    const test::TempDir directory;
    const std::string path = directory.path() + "/test.db";
    Backups backups(directory.path() + "/backups", 3);
    int called = 0;
    const auto before = [&](db::Database& old, int schema) {
        ++called;
        return backups.take_before_migration(old, schema);
    };
    ASSERT_TRUE(db::open_database(path, std::span(kMigrations).subspan(0, 1), before));
    EXPECT_EQ(called, 0) << "there was nothing before";
    ASSERT_TRUE(db::open_database(path, kMigrations, before));
    ASSERT_TRUE(db::open_database(path, kMigrations, before));
    EXPECT_EQ(called, 1);
    EXPECT_TRUE(db::open_database(directory.path() + "/backups/lodge-schema-1.db",
                                  std::span(kMigrations).subspan(0, 1)));
    // Without the copy nothing is changed.
    const std::string other = directory.path() + "/other.db";
    ASSERT_TRUE(db::open_database(other, std::span(kMigrations).subspan(0, 1)));
    EXPECT_FALSE(db::open_database(other, kMigrations, [](db::Database&, int) -> Status {
        return fail(ErrorCode::no_space, "no room");
    }));
    EXPECT_TRUE(db::open_database(other, std::span(kMigrations).subspan(0, 1)));
}

} // namespace
} // namespace lodge::daemon
