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
    const auto record = daemon::decode_record(content(path), master_key_of(*host).value());
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
