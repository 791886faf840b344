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

// Made while the clock was wrong, they are neither the newest nor kept for ever.
TEST_F(BackupsTest, OfALaterDayGoFirst) {
    Backups one(place(), 1);
    ASSERT_TRUE(one.take_daily(*database_, kSomeDay + 2000 * kDay));
    ASSERT_TRUE(one.take_daily(*database_, kSomeDay));
    EXPECT_EQ(copies(), std::set<std::string>{"lodge-20251121.db"});
    ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay + 2000 * kDay));
    ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay + kDay));
    EXPECT_EQ(copies().size(), 3U) << "none goes before its time";
    ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay + 2 * kDay));
    EXPECT_EQ(
        copies(),
        (std::set<std::string>{"lodge-20251121.db", "lodge-20251122.db", "lodge-20251123.db"}));
}

TEST_F(BackupsTest, HoldNothingThatIsOnItsWay) {
    ASSERT_NO_FATAL_FAILURE(put("tiny"));
    ContainerRepository rows(*database_);
    const auto add = [&](const std::string& name, std::uint32_t number) {
        model::Container made;
        made.uuid = Uuid::generate().value();
        made.spec.name = name;
        made.spec.template_name = "tiny";
        made.spec.encryption = model::Encryption::none;
        made.template_digest = "sha256:0";
        made.uid_base = number * 65536;
        made.disks = {{.uuid = made.uuid}};
        made.cards = {
            {.uuid = Uuid::generate().value(),
             .mac_address = "02:00:00:00:00:05",
             .addresses = {
                 model::CidrAddress::parse("192.0.2." + std::to_string(number) + "/24").value()}}};
        EXPECT_TRUE(rows.insert(made, {{made.uuid, "the wrapped key of " + name}}));
        return made.uuid;
    };
    ASSERT_TRUE(rows.publish(add("web1", 1)));
    const Uuid half = add("half", 2);
    OperationLog log(*database_);
    const Uuid operation = Uuid::generate().value();
    ASSERT_TRUE(log.begin(
        {.id = operation, .verb = "create", .resource = "half", .arguments = half.to_string()}));
    ASSERT_TRUE(log.intend(operation, {"reserve", ""}));
    ASSERT_TRUE(backups_.take_daily(*database_, kSomeDay));
    ASSERT_TRUE(backups_.take_before_migration(*database_, 2));
    for (const char* name : {"lodge-20251121.db", "lodge-schema-2.db"}) {
        SCOPED_TRACE(name);
        std::ifstream file(place() + "/" + name, std::ios::binary);
        const std::string bytes(std::istreambuf_iterator<char>(file), {});
        EXPECT_NE(bytes.find("the wrapped key of web1"), std::string::npos);
        EXPECT_EQ(bytes.find("the wrapped key of half"), std::string::npos);
        const auto copy = open_store(place() + "/" + name).value();
        EXPECT_TRUE(OperationLog(*copy).unfinished().value().empty());
        EXPECT_TRUE(copy->query("SELECT name FROM step").value().empty());
        const auto kept = ContainerRepository(*copy).list_all().value();
        ASSERT_EQ(kept.size(), 1U);
        EXPECT_EQ(kept[0].spec.name, "web1");
        EXPECT_EQ(ContainerRepository(*copy).used_addresses().value().size(), 1U);
    }
    EXPECT_EQ(log.unfinished().value().size(), 1U) << "in the database it goes on";
    EXPECT_TRUE(rows.find(half));
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
                "INSERT INTO template VALUES ('late', 'sha256:0', 0, '', '', '', '', 0)"));
            return backups_.take_daily(*database_, kSomeDay);
        });
    ASSERT_TRUE(written) << written.error().to_string();
    const auto copy = open_store(place() + "/lodge-20251121.db").value();
    EXPECT_TRUE(TemplateRepository(*copy).list().value().empty()) << "it was not yet committed";
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
    constexpr std::array<const char*, 2> kMigrations{
        "CREATE TABLE operation (id TEXT PRIMARY KEY) STRICT;"
        "CREATE TABLE container (uuid TEXT PRIMARY KEY, published INTEGER NOT NULL) STRICT",
        "ALTER TABLE container ADD COLUMN extra TEXT"};
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
