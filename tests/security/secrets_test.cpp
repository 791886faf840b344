// Where keys, passwords and a tenant's data must not be found.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "storage/volume.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/secrets.hpp"

#include <filesystem>

#include <fcntl.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

constexpr const char* kPassword = "correct-horse-7f3e9d21-battery";
constexpr const char* kCanary = "canary-c0ffee15-what-a-tenant-wrote";
constexpr const char* kCanaryName = "canary-name-8d1f4a77";

/// A piece of a secret: enough to know it by, also where its ends were overwritten.
std::string middle_of(const secret::SecretBuffer& key) {
    const auto bytes = key.bytes().subspan(key.size() / 4, 16);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class SecretsTest : public LodgeTest {
  protected:
    void SetUp() override {
        LodgeTest::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        const auto tree = kernel::open_directory(host->directory() + "/tiny");
        ASSERT_TRUE(tree && put_file(tree->get(), "etc/shadow", "root:*:19000:0:99999:7:::\n"));
        run("tar",
            {"-cf", host->directory() + "/login.tar", "-C", host->directory() + "/tiny", "."});
        const CliResult imported =
            host->lodge({"template", "import", "login", host->directory() + "/login.tar"});
        ASSERT_EQ(imported.code, 0) << imported.err;
    }
    void TearDown() override {
        if (host) {
            host->destroy_all();
            EXPECT_EQ(host->lodge({"template", "remove", "login"}).code, 0);
        }
        LodgeTest::TearDown();
    }
    // An init that handles no signals yet would not hear of a stop.
    void create_and_start(std::vector<std::string> options = {}) {
        options.emplace_back("--start");
        ASSERT_NO_FATAL_FAILURE(create(options));
        ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    }
    int run(const std::string& program, const std::vector<std::string>& arguments) {
        const auto output = kernel::run_program({.path = program,
                                                 .arguments = arguments,
                                                 .deadline = Deadline::after(patience(60s)),
                                                 .judged = true});
        EXPECT_TRUE(output) << output.error().to_string();
        return output ? output->exit_code : -1;
    }
    // Of a small disk, for it is searched.
    void create(const std::vector<std::string>& options = {}) {
        std::vector<std::string> words{
            "create", "web1", "--template", "login", "--disk", "64M", "--password-stdin"};
        words.insert(words.end(), options.begin(), options.end());
        const CliResult made = host->lodge(words, std::string(kPassword) + "\n");
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    }
    pid_t monitor_of(const std::string& name) {
        const auto status =
            kernel::read_file("/proc/" + host->field(name, "pid") + "/status", 65536);
        const std::string mark = "PPid:\t";
        return status ? std::stoi(status->substr(status->find(mark) + mark.size(), 8)) : -1;
    }
    void expect_not_in_memory(pid_t pid, const std::string& when) {
        const auto master = master_key_of(*host);
        const auto key = volume_key_of(*host, "web1");
        const auto host_key = host_key_of(*host);
        ASSERT_TRUE(master && key && host_key);
        for (const auto& [what, bytes] : {std::pair{"master key", middle_of(*master)},
                                          {"volume key", middle_of(*key)},
                                          {"host's key", middle_of(*host_key)}}) {
            const auto found = memory_holds(pid, bytes);
            ASSERT_TRUE(found) << found.error().to_string();
            EXPECT_FALSE(*found) << "the " << what << " lies in memory " << when;
        }
    }
    // Whether grep finds it in the image's raw bytes.
    bool image_holds(const std::string& text) {
        return run("grep", {"-q", "-a", "-F", text, host->field("web1", "image")}) == 0;
    }
    std::string loop_of_image() {
        const auto devices = storage::list_devices(host->directory() + "/state/containers");
        EXPECT_TRUE(devices);
        for (const auto& device : devices ? *devices : std::vector<storage::BlockDevice>()) {
            if (device.image == host->field("web1", "image") && device.name.starts_with("/dev/")) {
                return device.name.substr(device.name.rfind('/') + 1);
            }
        }
        return {};
    }
    void write_canary() {
        const std::string path = std::string("/root/") + kCanaryName;
        ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", path, kCanary}).code,
                  0);
    }
};

TEST_F(SecretsTest, LeavesNoKeyInTheMemoryOfDaemonOrMonitor) {
    ASSERT_NO_FATAL_FAILURE(create());
    const auto control = memory_holds(host->daemon_pid(), host->directory() + "/state");
    ASSERT_TRUE(control);
    EXPECT_TRUE(*control) << "the search finds what is there";
    // The answer comes a moment before the operation is over.
    expect_field("web1", "busy_with", "");
    expect_not_in_memory(host->daemon_pid(), "of the daemon after a create");
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
    expect_not_in_memory(host->daemon_pid(), "of the daemon while it runs");
    expect_not_in_memory(monitor_of("web1"), "of the monitor");
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
    expect_not_in_memory(host->daemon_pid(), "of the daemon after a stop");
}

TEST_F(SecretsTest, ShowsNoPasswordToDaemonLogsOrState) {
    ASSERT_NO_FATAL_FAILURE(create_and_start());
    const auto found = memory_holds(host->daemon_pid(), kPassword);
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_FALSE(*found) << "it is hashed before it is sent";
    EXPECT_EQ(host->daemon_log().find(kPassword), std::string::npos);
    constexpr int kNothingFound = 1;
    EXPECT_EQ(run("grep", {"-r", "-q", "-a", "-F", kPassword, host->directory()}), kNothingFound);
    EXPECT_EQ(host->lodge({"info", "web1", "--json"}).out.find(kPassword), std::string::npos);
    const std::string shadow =
        host->lodge({"exec", "web1", "--", "/bin/guest", "cat", "/etc/shadow"}).out;
    EXPECT_EQ(shadow.rfind("root:$y$", 0), 0U) << "hashed: " << shadow;
}

TEST_F(SecretsTest, ShowsNothingOfAStoppedContainerInItsImage) {
    ASSERT_NO_FATAL_FAILURE(create_and_start());
    ASSERT_NO_FATAL_FAILURE(write_canary());
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    EXPECT_FALSE(image_holds(kCanary));
    EXPECT_FALSE(image_holds(kCanaryName));
    EXPECT_FALSE(image_holds(kPassword));
    const auto opened = open_volume_of(*host, "web1");
    ASSERT_TRUE(opened) << opened.error().to_string();
    const auto file = kernel::open_at(
        opened->filesystem.get(), std::string("data/upper/root/") + kCanaryName, O_RDONLY);
    ASSERT_TRUE(file) << "with the key it is there: " << file.error().to_string();
    EXPECT_EQ(kernel::read_all(file->get(), 4096).value_or(""), kCanary);
}

TEST_F(SecretsTest, ASearchOfAnImageFindsWhatIsNotEncrypted) {
    ASSERT_NO_FATAL_FAILURE(create_and_start({"--encryption", "none"}));
    ASSERT_NO_FATAL_FAILURE(write_canary());
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    EXPECT_TRUE(image_holds(kCanary));
    EXPECT_TRUE(image_holds(kCanaryName));
}

TEST_F(SecretsTest, LeavesNoKeyInTheKernelOfAStoppedContainer) {
    ASSERT_NO_FATAL_FAILURE(create_and_start());
    const std::string loop = loop_of_image();
    ASSERT_NE(loop, "");
    const bool mapped = host->field("web1", "encryption") == "luks2";
    // ext4 keeps such a directory for as long as the superblock lives, and with it its keys.
    const std::string superblock = "/proc/fs/ext4/" + loop;
    EXPECT_TRUE(mapped || std::filesystem::exists(superblock));
    const auto uuid = Uuid::parse(host->field("web1", "uuid"));
    ASSERT_TRUE(uuid);
    const std::string mapping =
        "/dev/mapper/" + storage::Volume{.uuid = *uuid, .directory = {}}.mapper_name();
    EXPECT_EQ(mapped, run("dmsetup", {"info", mapping}) == 0);
    ASSERT_EQ(host->lodge({"stop", "web1"}).code, 0);
    const Deadline deadline = Deadline::after(patience(10s));
    while (!loop_of_image().empty() && !deadline.expired()) {
    }
    EXPECT_EQ(loop_of_image(), "");
    EXPECT_TRUE(mapped || !std::filesystem::exists(superblock));
    EXPECT_NE(run("dmsetup", {"info", mapping}), 0);
    const auto keys = kernel::read_file("/proc/keys", std::size_t{1} << 20);
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->find("cryptsetup:"), std::string::npos) << *keys;
    EXPECT_EQ(keys->find("lodge"), std::string::npos) << *keys;
}

} // namespace

} // namespace lodge::test
