// The rows among many neighbours, and what is left of those that are gone.
#include "daemon/store/log_eraser.hpp"
#include "daemon/store/store.hpp"
#include "lib/base/clock.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>

#include <poll.h>

namespace lodge::daemon {
namespace {

constexpr const char* kKey = "sealed-key-of-one-that-is-destroyed-7f31";

class Store : public ::testing::Test {
  protected:
    Store() {
        EXPECT_TRUE(TemplateRepository(*database_).put({.name = "base", .digest = "sha256:0"}));
    }
    static model::Container container(unsigned number) {
        model::Container one;
        one.uuid = Uuid::generate().value();
        one.spec.name = "web" + std::to_string(number);
        one.spec.template_name = "base";
        one.spec.encryption = model::Encryption::luks2;
        one.template_digest = "sha256:0";
        one.uid_base = 0x40000000 + number * model::kIdsPerContainer;
        const std::string low =
            std::to_string(number / 250) + "." + std::to_string(number % 250 + 2);
        one.disks = {{.uuid = one.uuid}};
        one.cards = {{.uuid = Uuid::generate().value(),
                      .mac_address = "02:00:00:00:00:05",
                      .addresses = {model::CidrAddress::parse("10.77." + low + "/16").value(),
                                    model::CidrAddress::parse(
                                        "fd4c:6f64:6765::" + std::to_string(number) + "/64")
                                        .value()}}};
        return one;
    }
    static model::SealedKeys keys_of(const model::Container& container) {
        model::SealedKeys keys;
        for (const model::Disk& disk : container.disks) {
            keys[disk.uuid] = kKey + disk.name();
        }
        return keys;
    }
    void add_until(unsigned count) {
        for (; number_ < count; ++number_) {
            const model::Container one = container(number_);
            ASSERT_TRUE(rows_.insert(one, keys_of(one)));
            ASSERT_TRUE(rows_.publish(one.uuid));
            uuids_.push_back(one.uuid);
        }
    }
    // The least of several runs, in microseconds of this thread's processor time.
    template <typename Body>
    static double cost_of(const Body& body) {
        constexpr int kTimes = 50;
        double least = 1e12;
        for (int run = 0; run < 10; ++run) {
            timespec begin{};
            timespec end{};
            (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
            for (int i = 0; i < kTimes; ++i) {
                body();
            }
            (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
            const double nanoseconds = static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
                                       static_cast<double>(end.tv_nsec - begin.tv_nsec);
            least = std::min(least, nanoseconds / 1e3 / kTimes);
        }
        return least;
    }
    // What each event and each verb asks of one container.
    double cost_of_one() {
        return cost_of([this] {
            EXPECT_TRUE(rows_.find("web1"));
            EXPECT_TRUE(rows_.find(uuids_[1]));
            EXPECT_TRUE(rows_.planned_starts());
        });
    }

    test::TempDir directory_;
    std::unique_ptr<db::Database> database_ = open_store(directory_.path() + "/lodge.db").value();
    ContainerRepository rows_{*database_};
    std::vector<Uuid> uuids_;
    unsigned number_ = 0;
};

TEST_F(Store, NamesWhoUsesATemplateThatIsToGo) {
    add_until(3);
    TemplateRepository templates(*database_);
    EXPECT_EQ(templates.remove("base", "sha256:0").error().message(),
              "the template 'base' is in use by 'web0', perhaps by others too; destroy them first");
    EXPECT_TRUE(templates.find("base"));
}

TEST_F(Store, AsksOneRowAtTheSameCostAmongMany) {
    ASSERT_NO_FATAL_FAILURE(add_until(4));
    const double among_few = cost_of_one();
    ASSERT_NO_FATAL_FAILURE(add_until(1500));
    const double among_many = cost_of_one();
    EXPECT_LT(among_many, 2 * among_few) << among_few << " microseconds among few";
}

TEST_F(Store, ListsWhatEachWriteLeft) {
    ASSERT_NO_FATAL_FAILURE(add_until(3));
    std::string before;
    const auto expect_list = [&](const char* verb) {
        const auto shown = [](ContainerRepository& rows) {
            std::ostringstream text;
            const auto all = rows.list().value();
            for (const model::Container& one : all) {
                text << one.spec.name << one.spec.hostname << model::to_string(one.state)
                     << one.last_error << one.restarts << one.start_at.value_or(-1) << '\n';
            }
            return text.str();
        };
        ContainerRepository fresh(*database_); // asks the database
        EXPECT_EQ(shown(rows_), shown(fresh)) << verb;
        EXPECT_NE(shown(rows_), before) << verb << " changed nothing";
        before = shown(rows_);
    };
    expect_list("insert and publish");
    model::Container one = rows_.find("web1").value();
    one.spec.hostname = "shop";
    ASSERT_TRUE(rows_.update_spec(one.uuid, one.spec));
    expect_list("update_spec");
    ASSERT_TRUE(rows_.note_error(one.uuid, "no"));
    expect_list("note_error");
    one.restarts = 2;
    one.start_at = 4711;
    ASSERT_TRUE(rows_.plan_start(one, std::nullopt).value());
    expect_list("plan_start");
    const Uuid other = rows_.find("web2").value().uuid;
    const auto only_other = [&](const auto&) { return std::vector{PlannedStart{other, 5}}; };
    ASSERT_TRUE(rows_.enter_boot("boot", only_other));
    expect_list("enter_boot");
    one.state = model::State::broken;
    ASSERT_TRUE(rows_.update_state(one, "boot"));
    expect_list("update_state");
    ASSERT_TRUE(rows_.remove(one.uuid));
    expect_list("remove");
    const model::Container unpublished = container(7);
    ASSERT_TRUE(rows_.insert(unpublished, keys_of(unpublished)));
    EXPECT_EQ(rows_.list().value().size(), 2U);
    ASSERT_TRUE(rows_.publish(unpublished.uuid));
    expect_list("publish");
}

TEST_F(Store, KnowsWhatIsTakenThroughCreatesAndDestroys) {
    ASSERT_NO_FATAL_FAILURE(add_until(20));
    const auto taken = [](ContainerRepository& rows) {
        return std::pair(rows.used_addresses().value(), rows.used_uid_bases().value());
    };
    EXPECT_EQ(taken(rows_).first.size(), 40U);
    EXPECT_EQ(taken(rows_).second.size(), 20U);
    ASSERT_TRUE(rows_.remove(uuids_[3]));
    ASSERT_NO_FATAL_FAILURE(add_until(22));
    model::Container twin = container(500);
    twin.cards[0].addresses =
        container(7).addresses(); // in use: refused, and nothing of it is taken
    EXPECT_EQ(rows_.insert(twin, keys_of(twin)).error().code(), ErrorCode::already_exists);
    ASSERT_TRUE(rows_.remove(twin.uuid));
    ContainerRepository fresh(*database_); // asks the database
    EXPECT_EQ(taken(rows_), taken(fresh));
    EXPECT_EQ(taken(rows_).second.size(), 21U);
    const auto addresses = taken(rows_).first;
    EXPECT_TRUE(std::is_sorted(addresses.begin(), addresses.end()));
}

TEST_F(Store, KeepsNoSealedKeyOfOneThatIsGoneInAnyOfItsFiles) {
    const auto is_in_files = [this] {
        for (const char* suffix : {"-wal", ""}) { // the way in which it moves
            std::ifstream file(directory_.path() + "/lodge.db" + suffix, std::ios::binary);
            const std::string all(std::istreambuf_iterator<char>(file), {});
            if (all.find(kKey) != std::string::npos) {
                return true;
            }
        }
        return false;
    };
    LogEraser eraser(*database_, [](const std::string& why) { ADD_FAILURE() << why; });
    rows_.on_remove([&eraser] { eraser.ask(); });
    ASSERT_NO_FATAL_FAILURE(add_until(1));
    ASSERT_TRUE(is_in_files());
    ASSERT_TRUE(rows_.remove(uuids_[0]));
    const Deadline deadline = Deadline::after(test::patience(std::chrono::seconds(10)));
    while (is_in_files() && !deadline.expired()) {
        (void)::poll(nullptr, 0, 10); // nobody announces it
    }
    EXPECT_FALSE(is_in_files());
}

TEST_F(Store, PlansNoStartOverWhatSomebodyElseWrote) {
    ASSERT_NO_FATAL_FAILURE(add_until(1));
    model::Container row = rows_.find("web0").value();
    row.start_at = 1000;
    EXPECT_EQ(rows_.plan_start(row, {}).value(), true);
    row.start_at = 2000;
    EXPECT_EQ(rows_.plan_start(row, 1000).value(), true);
    row.start_at.reset();
    ASSERT_TRUE(rows_.update_state(row, "boot")); // a person's stop
    row.start_at = 3000;
    EXPECT_EQ(rows_.plan_start(row, 2000).value(), false);
    EXPECT_EQ(rows_.find("web0")->start_at, std::nullopt);
    row.start_at.reset();
    row.state = model::State::running;
    ASSERT_TRUE(rows_.update_state(row, "boot")); // or a person's start
    row.start_at = 3000;
    EXPECT_EQ(rows_.plan_start(row, {}).value(), false);
}

// By its name, and in a list of few and of many, which are read otherwise.
TEST_F(Store, KeepsVolumesAndCardsOfAContainer) {
    model::Container one = container(number_++);
    one.disks.push_back({.uuid = Uuid::generate().value(), .slot = 2});
    one.cards.push_back({.uuid = Uuid::generate().value(),
                         .slot = 1,
                         .mac_address = "02:00:00:00:00:06",
                         .addresses = {model::CidrAddress::parse("10.78.0.2/16").value()}});
    one.cards.push_back({.uuid = Uuid::generate().value(),
                         .slot = 3,
                         .mac_address = "02:00:00:00:00:07",
                         .addresses = {}});
    ASSERT_TRUE(rows_.insert(one, keys_of(one)));
    ASSERT_TRUE(rows_.publish(one.uuid));
    for (const unsigned count : {2U, 40U}) {
        add_until(count);
        for (const model::Container& read : {rows_.find(one.spec.name).value(),
                                             rows_.list()->front(),
                                             rows_.list_all()->front()}) {
            EXPECT_EQ(read.disks, one.disks) << count;
            EXPECT_EQ(read.cards, one.cards) << count;
        }
    }
    EXPECT_EQ(rows_.sealed_key(one.disks[0].uuid).value(), std::string(kKey) + "root");
    EXPECT_EQ(rows_.sealed_key(one.disks[1].uuid).value(), std::string(kKey) + "disk2");
    model::Container twin = container(number_++);
    twin.cards[0].addresses = one.cards[1].addresses;
    EXPECT_EQ(rows_.insert(twin, keys_of(twin)).error().code(), ErrorCode::already_exists);
    ASSERT_TRUE(rows_.remove(one.uuid));
    EXPECT_FALSE(rows_.sealed_key(one.disks[1].uuid));
    EXPECT_TRUE(rows_.insert(twin, keys_of(twin))) << "its addresses are free again";
}

} // namespace
} // namespace lodge::daemon
