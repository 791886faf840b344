// What lies beside each volume and image.
#include "daemon/records/files.hpp"
#include "daemon/records/record.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/secrets.hpp"

#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::test {

namespace {

class RecordTest : public LodgeTest {
  protected:
    std::string path_of(const std::string& name) {
        const std::string image = host->field(name, "image");
        return image.substr(0, image.rfind('/') + 1) + daemon::kRecordName;
    }
    static std::string content(const std::string& path) {
        return kernel::read_file(path, daemon::kLongestRecord).value_or("");
    }
};

TEST_F(RecordTest, LiesBesideEachVolumeFromCreateToDestroy) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0) << host->daemon_log();
    const std::string path = path_of("web1");
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    const auto record = container_record(*host, content(path));
    ASSERT_TRUE(record) << record.error().to_string();
    EXPECT_EQ(record->container.uuid.to_string(), host->field("web1", "uuid"));
    EXPECT_EQ(record->container.spec.name, "web1");
    EXPECT_EQ(record->container.cards.at(0).mac_address, host->field("web1", "mac_address"));
    // Held open, its bytes can be seen after it was unlinked.
    const auto held = kernel::open_file(path, O_RDONLY);
    ASSERT_TRUE(held);
    const std::string sealed = secret::to_hex(record->sealed_keys.begin()->second);
    ASSERT_EQ(host->lodge({"destroy", "web1"}).code, 0) << host->daemon_log();
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_EQ(kernel::read_all(held->get(), daemon::kLongestRecord)->find(sealed),
              std::string::npos)
        << "the wrapped key stayed on the disk";
}

TEST_F(RecordTest, OfAnEarlierReleaseIsMadeAtStart) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0) << host->daemon_log();
    const std::string path = path_of("web1");
    const std::string before = content(path);
    const std::string image =
        host->directory() + "/state/templates/" +
        host->field_of_template("tiny", "digest").substr(std::string_view("sha256:").size());
    ASSERT_TRUE(std::filesystem::exists(image + "/tiny.json"));
    host->stop_daemon();
    ASSERT_EQ(::unlink(path.c_str()), 0);
    ASSERT_EQ(::unlink((image + "/tiny.json").c_str()), 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(content(path), before);
    EXPECT_TRUE(std::filesystem::exists(image + "/tiny.json"));
}

// The database says what is in the records: another key of the host authenticates them again.
TEST_F(RecordTest, IsAuthenticatedAnewAfterALossOfTheHostsKey) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0) << host->daemon_log();
    const std::string path = path_of("web1");
    const std::string key = host->directory() + "/state/host.key";
    struct stat info{};
    ASSERT_EQ(::stat(key.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    EXPECT_EQ(host->daemon_log().find("host.key"), std::string::npos)
        << "a first start says nothing";
    const std::string before = content(path);
    host->stop_daemon();
    ASSERT_EQ(::unlink(key.c_str()), 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_NE(host->daemon_log().find("host.key' was not there and was made"), std::string::npos)
        << host->daemon_log();
    EXPECT_NE(content(path), before);
    const auto record = container_record(*host, content(path));
    ASSERT_TRUE(record) << record.error().to_string();
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

TEST_F(RecordTest, WithoutTheMasterKeyNothingStartsAndNoOtherKeyIsMade) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0) << host->daemon_log();
    const std::string key = host->directory() + "/state/master.key";
    host->stop_daemon();
    ASSERT_EQ(::rename(key.c_str(), (key + ".away").c_str()), 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_NE(host->daemon_log().find("master.key' is not there"), std::string::npos);
    for (const auto& words :
         {std::vector<std::string>{"start", "web1"}, {"create", "web2", "--template", "tiny"}}) {
        const CliResult refused = host->lodge(words);
        EXPECT_NE(refused.code, 0) << refused.err;
        EXPECT_NE(refused.err.find("master.key"), std::string::npos) << refused.err;
    }
    EXPECT_FALSE(std::filesystem::exists(key));
    const std::string without = host->lodge({"host", "info"}).out;
    EXPECT_NE(without.find("master.key' is not there"), std::string::npos) << without;
    ASSERT_EQ(::rename((key + ".away").c_str(), key.c_str()), 0);
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

TEST_F(RecordTest, OfANameGoesWithTheName) {
    ASSERT_EQ(host->lodge({"template", "import", "twin", host->directory() + "/tiny.tar"}).code, 0)
        << host->daemon_log();
    const auto count = [&] {
        const std::filesystem::recursive_directory_iterator all(host->directory() +
                                                                "/state/templates");
        return std::count_if(begin(all), end(all), [](const auto& entry) {
            return entry.path().filename() == "twin.json";
        });
    };
    EXPECT_EQ(count(), 1);
    ASSERT_EQ(host->lodge({"template", "remove", "twin"}).code, 0) << host->daemon_log();
    host->stop_daemon(); // what is behind the answer is done then
    EXPECT_EQ(count(), 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
}

} // namespace

} // namespace lodge::test
