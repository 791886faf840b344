// Records beside volumes and images, of this release and of the one before, as a rescue finds them.
#include "daemon/records/files.hpp"
#include "daemon/records/host_key.hpp"
#include "daemon/records/key_context.hpp"
#include "daemon/rescue/find.hpp"
#include "daemon/store/store.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace lodge::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string release_before(const std::string& name) {
    return kernel::read_file(LODGE_SOURCE_DIR "/tests/upgrade/" + name, 1 << 20).value();
}

/// A state directory as the release before left it, with 'web1' and its template: no host's key,
/// records of format 1.
class StateOfTheReleaseBefore : public ::testing::Test {
  protected:
    StateOfTheReleaseBefore() {
        settings_.state_directory = directory_.path();
        settings_.run_directory = directory_.path() + "/run";
        std::string hex = release_before("1/master_key.hex");
        std::erase(hex, '\n');
        write(settings_.master_key_path(), secret::from_hex(hex).value());
        const std::string image = settings_.templates_directory() + "/" + std::string(64, 'a');
        write(image + "/debian-12.json", release_before("6/template.json"));
        write(image + "/template.erofs", "");
        std::filesystem::resize_file(image + "/template.erofs", 120000000);
        put_container(kWeb1, release_before("6/container.json"));
    }
    void put_container(const std::string& uuid, const std::string& record) {
        const std::string place = settings_.container_directory(uuid);
        write(place + "/container.json", record);
        write(place + "/volume.img", "");
        std::filesystem::resize_file(place + "/volume.img", 3221225472);
    }
    static void write(const std::string& path, const std::string& text) {
        std::filesystem::create_directories(path.substr(0, path.rfind('/')));
        std::ofstream(path, std::ios::binary) << text;
        std::filesystem::permissions(path, std::filesystem::perms(0600));
    }
    // The other one, as this release makes it, with a key wrapped for `wrapped_for`.
    ContainerRecord other(const std::string& wrapped_for) {
        ContainerRecord record =
            decode_record(release_before("6/container.json"), keys(nullptr)).value();
        record.container.spec.name = "web2";
        record.container.uuid = Uuid::parse(wrapped_for).value();
        model::Container& container = record.container;
        container.disks = {{.uuid = container.uuid}};
        const auto sealed = provider_->wrap(key_context_of(container, container.root()),
                                            secret::SecretBuffer::random(64).value());
        container.uuid = Uuid::parse(kWeb2).value();
        container.disks = {{.uuid = container.uuid}};
        container.cards[0].uuid = Uuid::generate().value();
        record.sealed_keys = {{container.uuid, sealed.value()}};
        record.container.uid_base += 65536;
        record.container.cards[0].addresses = {model::CidrAddress::parse("10.77.0.3/16").value()};
        return record;
    }
    void put_other(const std::string& wrapped_for = kWeb2) {
        ASSERT_TRUE(make_host_key(settings_));
        put_container(kWeb2,
                      encode_record(other(wrapped_for), read_host_key(settings_).value()).value());
    }
    RecordKeys keys(const secret::SecretBuffer* host) {
        return {.host = host, .provider = *provider_};
    }
    Result<Found> find() {
        const auto host = read_host_key(settings_);
        return find_records(settings_, keys(host ? &*host : nullptr));
    }
    static std::vector<std::string> names(const Found& found) {
        std::vector<std::string> all;
        for (const ContainerRecord& record : found.containers) {
            all.push_back(record.container.spec.name);
        }
        return all;
    }

    static constexpr const char* kWeb1 = "0123e456-89ab-4def-8123-456789abcdef";
    static constexpr const char* kWeb2 = "11111111-2222-4333-8444-555555555555";
    test::TempDir directory_;
    Settings settings_;
    std::unique_ptr<storage::KeyProvider> provider_ =
        storage::make_file_key_provider(directory_.path() + "/master.key");
};

TEST_F(StateOfTheReleaseBefore, IsFoundWithTheMasterKeyAlone) {
    const auto found = find();
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_THAT(names(*found), ElementsAre("web1"));
    EXPECT_EQ(found->templates.size(), 1U);
    EXPECT_THAT(found->left, IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(settings_.host_key_path()));
}

// A daemon that was killed while it rewrote the records.
TEST_F(StateOfTheReleaseBefore, IsFoundBesideRecordsOfThisRelease) {
    ASSERT_NO_FATAL_FAILURE(put_other());
    const auto found = find();
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_THAT(names(*found), ElementsAre("web1", "web2"));
    EXPECT_THAT(found->left, IsEmpty());
}

TEST_F(StateOfTheReleaseBefore, GetsAHostsKeyAndRecordsUnderIt) {
    const std::string sql = release_before("6/database.sql");
    {
        const std::array<const char*, 6> as_it_was{"", "", "", "", "", sql.c_str()};
        ASSERT_TRUE(db::open_database(settings_.database_path(), as_it_was));
    }
    ASSERT_TRUE(make_host_key(settings_).value());
    EXPECT_FALSE(make_host_key(settings_).value()) << "once";
    const auto database = open_store(settings_.database_path()).value();
    ContainerRepository containers(*database);
    TemplateRepository templates(*database);
    const auto store =
        templates::make_template_store({.directory = settings_.templates_directory(),
                                        .run_directory = settings_.template_mounts()});
    std::filesystem::create_directories(settings_.container_directory(kWeb2));
    std::vector<std::string> warnings;
    complete_records({.settings = settings_,
                      .containers = containers,
                      .templates = templates,
                      .host_key = [&] { return read_host_key(settings_); },
                      .store = *store,
                      .warn = [&](const std::string& line) { warnings.push_back(line); }});
    EXPECT_THAT(warnings, IsEmpty());
    // They need no master key any more, and their keys are the very ones of the rows.
    const auto host = read_host_key(settings_).value();
    const auto elsewhere = storage::make_file_key_provider(directory_.path() + "/none");
    for (const char* uuid : {kWeb1, kWeb2}) {
        const auto text = kernel::read_file(settings_.container_directory(uuid) + "/container.json",
                                            kLongestRecord);
        ASSERT_TRUE(text);
        const auto record = decode_record(*text, {.host = &host, .provider = *elsewhere});
        ASSERT_TRUE(record) << record.error().to_string();
        const model::Disk& root = record->container.root();
        const std::string& sealed = record->sealed_keys.at(root.uuid);
        EXPECT_EQ(sealed, containers.sealed_key(root.uuid).value());
        EXPECT_TRUE(provider_->unwrap(key_context_of(record->container, root), sealed));
    }
    const auto made = decode_template_record(store->records().value().at(0).text,
                                             {.host = &host, .provider = *elsewhere});
    ASSERT_TRUE(made) << made.error().to_string();
}

TEST_F(StateOfTheReleaseBefore, WaitsForALostHostsKey) {
    ASSERT_NO_FATAL_FAILURE(put_other());
    std::filesystem::remove(settings_.host_key_path());
    const auto found = find();
    ASSERT_FALSE(found) << "a part of the containers would look like all of them";
    EXPECT_EQ(found.error().code(), ErrorCode::not_found);
}

TEST_F(StateOfTheReleaseBefore, LeavesRecordsUnderAnotherHostsKeyInPlace) {
    ASSERT_NO_FATAL_FAILURE(put_other());
    std::filesystem::remove(settings_.host_key_path());
    ASSERT_TRUE(make_host_key(settings_));
    const auto found = find();
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_THAT(names(*found), ElementsAre("web1"));
    ASSERT_EQ(found->left.size(), 1U);
    EXPECT_THAT(found->left[0].why, HasSubstr("another key made it"));
}

TEST_F(StateOfTheReleaseBefore, LeavesARecordWithAnotherContainersKeyInPlace) {
    ASSERT_NO_FATAL_FAILURE(put_other(kWeb1));
    const auto found = find();
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_THAT(names(*found), ElementsAre("web1"));
    ASSERT_EQ(found->left.size(), 1U);
    EXPECT_THAT(found->left[0].why, HasSubstr("unwrap the volume's key"));
}

} // namespace
} // namespace lodge::daemon
