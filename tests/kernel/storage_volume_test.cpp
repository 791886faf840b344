#include "lib/kernel/fs.hpp"
#include "lib/kernel/fscrypt.hpp"
#include "lib/kernel/loop.hpp"
#include "lib/kernel/program.hpp"
#include "storage/volume.hpp"
#include "tests/kernel/libcryptsetup.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/left_loop.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::storage {
namespace {

constexpr const char* kCanary = "canary-7f3a9c51-in-plain-text";

// What is no caller's business, and so not in tests/contract/volumes.hpp.
class VolumeTest : public test::LeakChecked,
                   public ::testing::WithParamInterface<model::Encryption> {
  protected:
    void SetUp() override {
        if (GetParam() == model::Encryption::luks2) {
            REQUIRES("device_mapper");
            test::warm_up_libcryptsetup();
        }
        if (GetParam() == model::Encryption::fscrypt) {
            REQUIRES("fscrypt");
        }
        LeakChecked::SetUp();
        driver_ = make_driver(GetParam());
        directory_.emplace();
        volume_ = {.uuid = Uuid::generate().value(),
                   .directory = directory_->path(),
                   .bytes = std::uint64_t{256} << 20,
                   .encryption = GetParam()};
        key_ = secret::SecretBuffer::random(kVolumeKeySize).value();
    }
    void TearDown() override {
        directory_.reset();
        if (driver_) {
            LeakChecked::TearDown();
        }
    }

    static void write_canary(const OpenVolume& open) {
        auto file =
            kernel::open_at(open.filesystem.get(), "data/upper/canary", O_WRONLY | O_CREAT, 0600);
        ASSERT_TRUE(file) << file.error().to_string();
        for (int i = 0; i < 1000; ++i) {
            ASSERT_TRUE(kernel::write_all(file->get(), kCanary));
        }
        ASSERT_EQ(::fsync(file->get()), 0);
    }
    std::string whole_image() const {
        return kernel::read_file(volume_.image_path(), std::size_t{300} << 20).value();
    }
    std::uint64_t allocated() const {
        struct stat info{};
        EXPECT_EQ(::stat(volume_.image_path().c_str(), &info), 0);
        return static_cast<std::uint64_t>(info.st_blocks) * 512;
    }

    std::unique_ptr<VolumeDriver> driver_;
    std::optional<test::TempDir> directory_;
    Volume volume_;
    secret::SecretBuffer key_;
};

TEST_P(VolumeTest, ShowsThePlainTextOnlyWhereNotEncrypted) {
    write_canary(driver_->create(volume_, key_).value());
    ASSERT_TRUE(driver_->close(volume_));
    const std::string image = whole_image();
    const bool encrypted = GetParam() != model::Encryption::none;
    EXPECT_EQ(image.find(kCanary) == std::string::npos, encrypted);
    EXPECT_EQ(image.find("canary") == std::string::npos, encrypted) << "the file's name";
    const auto* key = reinterpret_cast<const char*>(key_.bytes().data());
    EXPECT_EQ(image.find(std::string(key, 32)), std::string::npos) << "the key itself";
}

TEST_P(VolumeTest, IsSparse) {
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    EXPECT_LT(allocated(), std::uint64_t{16} << 20);
}

// The mapping may vanish between any two looks of close(): no error, nothing left behind.
TEST_P(VolumeTest, ClosesWhileItsLastUserGoes) {
    ASSERT_TRUE(driver_->create(volume_, key_));
    ASSERT_TRUE(driver_->close(volume_));
    for (int i = 0; i < 8; ++i) {
        auto open = driver_->open(volume_, key_);
        ASSERT_TRUE(open) << open.error().to_string();
        std::thread user([open = std::move(*open)]() mutable { open = OpenVolume{}; });
        const Status closed = driver_->close(volume_);
        user.join();
        ASSERT_TRUE(closed) << closed.error().to_string();
    }
    EXPECT_TRUE(driver_->close(volume_)); // of what is not open
}

TEST_P(VolumeTest, CallsADamagedImageCorrupt) {
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    {
        const auto image = kernel::open_file(volume_.image_path(), O_WRONLY).value();
        ASSERT_TRUE(kernel::write_all(image.get(), std::string(1 << 20, '\xa5')));
    }
    const auto damaged = driver_->open(volume_, key_);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code(), ErrorCode::corrupt) << damaged.error().to_string();
    ASSERT_EQ(::truncate(volume_.image_path().c_str(), 4096), 0);
    const auto cut = driver_->open(volume_, key_);
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code(), ErrorCode::corrupt);
    ASSERT_TRUE(driver_->close(volume_));
}

TEST_P(VolumeTest, LeavesNothingWhenTheHostIsFull) {
    const std::string small = directory_->path() + "/small";
    ASSERT_EQ(::mkdir(small.c_str(), 0700), 0);
    ASSERT_EQ(::mount("small", small.c_str(), "tmpfs", 0, "size=1m"), 0);
    Volume volume = volume_;
    volume.directory = small;
    const auto open = driver_->create(volume, key_);
    EXPECT_FALSE(open);
    if (!open) {
        EXPECT_EQ(open.error().code(), ErrorCode::no_space) << open.error().to_string();
    }
    EXPECT_NE(::access(volume.image_path().c_str(), F_OK), 0);
    ASSERT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

TEST_P(VolumeTest, RefusesToOpenWhatIsOpen) {
    auto open = driver_->create(volume_, key_).value();
    const auto second = driver_->open(volume_, key_);
    ASSERT_FALSE(second) << "two mounts of one image destroy it";
    EXPECT_EQ(second.error().code(), ErrorCode::busy) << second.error().to_string();
    const auto erased = driver_->destroy(volume_);
    ASSERT_FALSE(erased);
    EXPECT_EQ(erased.error().code(), ErrorCode::busy) << erased.error().to_string();
    write_canary(open); // it was not harmed
    open.filesystem.reset();
    ASSERT_TRUE(driver_->open(volume_, key_));
}

TEST_P(VolumeTest, DetachesALoopDeviceThatACrashLeft) {
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    for (const auto shown : {test::Shown::whole_path, test::Shown::name_alone}) {
        ASSERT_TRUE(test::leave_loop(volume_.image_path(), volume_.label(), shown));
        const auto closed = driver_->close(volume_);
        ASSERT_TRUE(closed) << closed.error().to_string();
    }
    // The leak check sees that the loop devices are gone.
}

// Every tenant may read what sysfs says of all loop devices of the host.
TEST_P(VolumeTest, TellsNobodyWhereItsImageLies) {
    const auto open = driver_->create(volume_, key_).value();
    std::string shown;
    const auto loops = kernel::list_loops().value();
    for (const kernel::LoopInfo& loop : loops) {
        const auto status = kernel::loop_status(loop.path);
        if (status && status->label == volume_.label()) {
            shown += loop.backing_file + "\n";
        }
        EXPECT_EQ(loop.backing_file.find(directory_->path()), std::string::npos)
            << loop.backing_file;
    }
    EXPECT_EQ(shown, "/volume.img\n");
}

TEST_P(VolumeTest, IsDestroyedOnAFullHost) {
    const std::string small = directory_->path() + "/small";
    ASSERT_EQ(::mkdir(small.c_str(), 0700), 0);
    ASSERT_EQ(::mount("small", small.c_str(), "tmpfs", 0, "size=64m"), 0);
    Volume volume = volume_;
    volume.directory = small;
    auto open = driver_->create(volume, key_);
    EXPECT_TRUE(open) << open.error().to_string();
    open = std::unexpected(Error(ErrorCode::internal, "closed"));
    EXPECT_TRUE(driver_->close(volume));
    {
        const auto filler = kernel::open_file(small + "/filler", O_WRONLY | O_CREAT, 0600).value();
        const auto full = kernel::write_all(filler.get(), std::string(std::size_t{70} << 20, 'x'));
        ASSERT_FALSE(full);
        EXPECT_EQ(full.error().code(), ErrorCode::no_space);
    }
    const auto destroyed = driver_->destroy(volume);
    EXPECT_TRUE(destroyed) << destroyed.error().to_string();
    EXPECT_NE(::access(volume.image_path().c_str(), F_OK), 0);
    ASSERT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

TEST_P(VolumeTest, LeavesNothingToFindInTheImageOnceErased) {
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    // A second name keeps the data that destroy overwrites.
    const std::string kept = directory_->path() + "/kept";
    ASSERT_EQ(::link(volume_.image_path().c_str(), kept.c_str()), 0);
    ASSERT_TRUE(driver_->destroy(volume_));
    const auto image = kernel::open_file(kept, O_RDONLY).value();
    std::string head(std::size_t{16} << 20, 'x');
    ASSERT_EQ(::pread(image.get(), head.data(), head.size(), 0), static_cast<ssize_t>(head.size()));
    EXPECT_TRUE(head == std::string(head.size(), '\0'));
}

// Names of keys, as /proc/keys shows them. The kernel collects what is unused a moment later.
bool keys_name(const std::string& name) {
    return kernel::read_file("/proc/keys", 1 << 20).value_or("").find(name) != std::string::npos;
}
bool keys_forget(const std::string& name) {
    const auto deadline = Deadline::after(test::patience(std::chrono::seconds(10)));
    while (keys_name(name) && !deadline.expired()) {
        std::this_thread::yield();
    }
    return !keys_name(name);
}

TEST_P(VolumeTest, LeavesNoKeyInTheKernelsKeyrings) {
    auto open = driver_->create(volume_, key_).value();
    // dm-crypt has its own copy: libcryptsetup's in our thread's keyring must not outlive the open.
    EXPECT_TRUE(keys_forget("cryptsetup:"));
    std::string fscrypt = "no such key";
    if (GetParam() == model::Encryption::fscrypt) {
        const auto data = kernel::open_directory_at(open.filesystem.get(), "data").value();
        fscrypt.clear();
        const kernel::FscryptKeyId id = kernel::fscrypt_policy_key(data.get()).value();
        for (const std::uint8_t byte : id) {
            fscrypt += "0123456789abcdef"[byte >> 4];
            fscrypt += "0123456789abcdef"[byte & 15];
        }
        EXPECT_TRUE(keys_name(fscrypt)) << "this test looks at the wrong place";
    }
    open.filesystem.reset();
    ASSERT_TRUE(driver_->close(volume_));
    EXPECT_TRUE(keys_forget(fscrypt));
    EXPECT_FALSE(keys_name("cryptsetup:"));
}

TEST_P(VolumeTest, OpensWithoutTheMemoryOfAPassphrase) {
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    const pid_t child = ::fork(); // this test program has no threads
    if (child == 0) {
        rusage before{};
        rusage after{};
        (void)::getrusage(RUSAGE_SELF, &before);
        const bool opened = driver_->open(volume_, key_).has_value();
        (void)::getrusage(RUSAGE_SELF, &after);
        constexpr long kMostKiB = 16L << 10; // Argon2id would take a GiB
        ::_exit(opened && after.ru_maxrss - before.ru_maxrss < kMostKiB ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ASSERT_TRUE(driver_->close(volume_));
}

INSTANTIATE_TEST_SUITE_P(Drivers,
                         VolumeTest,
                         ::testing::Values(model::Encryption::luks2,
                                           model::Encryption::fscrypt,
                                           model::Encryption::none),
                         [](const auto& driver) {
                             return std::string(model::to_string(driver.param));
                         });

class Luks2Test : public test::LeakChecked {
  protected:
    void SetUp() override {
        REQUIRES("device_mapper");
        test::warm_up_libcryptsetup();
        LeakChecked::SetUp();
        directory_.emplace();
        volume_ = {.uuid = Uuid::generate().value(),
                   .directory = directory_->path(),
                   .bytes = std::uint64_t{256} << 20,
                   .encryption = model::Encryption::luks2};
        key_ = secret::SecretBuffer::random(kVolumeKeySize).value();
        driver_ = make_driver(model::Encryption::luks2);
        ASSERT_TRUE(driver_->create(volume_, key_));
        ASSERT_TRUE(driver_->close(volume_));
    }
    void TearDown() override {
        directory_.reset();
        if (driver_) {
            LeakChecked::TearDown();
        }
    }

    static std::string run(const std::string& program, std::vector<std::string> arguments) {
        const auto output = kernel::run_program(
            {.path = program,
             .arguments = std::move(arguments),
             .environment = {},
             .input = {},
             .deadline = Deadline::after(test::patience(std::chrono::seconds(60)))});
        EXPECT_TRUE(output) << output.error().to_string();
        return output ? output->standard_output : "";
    }
    static std::string cryptsetup(std::vector<std::string> arguments) {
        return run("cryptsetup", std::move(arguments));
    }
    static std::string dmsetup(std::vector<std::string> arguments) {
        return run("dmsetup", std::move(arguments));
    }

    std::unique_ptr<VolumeDriver> driver_;
    std::optional<test::TempDir> directory_;
    Volume volume_;
    secret::SecretBuffer key_;
};

TEST_F(Luks2Test, IsWhatCryptsetupCallsLuks2WithPbkdf2) {
    const std::string dump = cryptsetup({"luksDump", volume_.image_path()});
    EXPECT_THAT(dump, ::testing::ContainsRegex("Version:[ \t]+2"));
    EXPECT_NE(dump.find("aes-xts-plain64"), std::string::npos) << dump;
    EXPECT_NE(dump.find("pbkdf2"), std::string::npos) << dump;
    EXPECT_EQ(dump.find("argon2"), std::string::npos) << dump;
    EXPECT_EQ(dump.find(volume_.uuid.to_string()), std::string::npos) << "every tenant may read it";
}

TEST_F(Luks2Test, RemovesAMappingThatWasNeverResumed) {
    for (const std::string& name : {volume_.mapper_name(), volume_.label()}) { // an older release's
        const auto image = kernel::open_file(volume_.image_path(), O_RDWR).value();
        const auto loop = kernel::LoopDevice::attach(image.get(), {.label = name}).value();
        (void)dmsetup({"create", name, "--notable"});
        (void)dmsetup({"load", name, "--table", "0 32768 linear " + loop.path() + " 0"});
        ASSERT_NE(dmsetup({"info", name}).find("INACTIVE"), std::string::npos);
        const auto closed = driver_->close(volume_);
        ASSERT_TRUE(closed) << closed.error().to_string();
    }
    // The leak check sees that it is gone, and the loop device that it held.
}

TEST_F(Luks2Test, IsListedAroundMappingsThatGo) {
    const std::string name = volume_.mapper_name();
    std::optional<Error> failure;
    std::jthread lister([&](const std::stop_token& over) {
        while (!over.stop_requested() && !failure) {
            if (auto devices = list_devices(directory_->path()); !devices) {
                failure = std::move(devices).error();
            }
        }
    });
    for (int round = 0; round < 15; ++round) {
        (void)dmsetup({"create", name, "--table", "0 32768 zero"});
        (void)dmsetup({"remove", name});
    }
    lister.request_stop();
    lister.join();
    EXPECT_FALSE(failure) << failure->to_string();
}

// As older releases made them.
TEST_F(Luks2Test, GivesAHeaderThatTellsTheContainerAnotherUuid) {
    const std::string own = volume_.uuid.to_string();
    (void)cryptsetup({"luksUUID", "--batch-mode", "--uuid", own, volume_.image_path()});
    ASSERT_NE(cryptsetup({"luksDump", volume_.image_path()}).find(own), std::string::npos);
    const auto open = driver_->open(volume_, key_);
    ASSERT_TRUE(open) << open.error().to_string();
    const std::string listed = dmsetup({"info", "-c", "--noheadings", "-o", "name,uuid"});
    EXPECT_NE(listed.find(volume_.mapper_name()), std::string::npos) << listed;
    std::string digits = own;
    std::erase(digits, '-');
    EXPECT_EQ(listed.find(own), std::string::npos) << listed;
    EXPECT_EQ(listed.find(digits), std::string::npos) << listed;
}

TEST_F(Luks2Test, RefusesAHeaderThatNamesAnotherCipher) {
    // The right key in a header of somebody else's making.
    const std::string key_file = directory_->path() + "/key";
    {
        const auto file = kernel::open_file(key_file, O_WRONLY | O_CREAT, 0600).value();
        ASSERT_EQ(::write(file.get(), key_.bytes().data(), key_.size()), ssize_t{kVolumeKeySize});
    }
    (void)cryptsetup({"luksFormat",
                      "--batch-mode",
                      "--type",
                      "luks2",
                      "--key-size",
                      "256",
                      "--pbkdf",
                      "pbkdf2",
                      "--pbkdf-force-iterations",
                      "1000",
                      "--key-file",
                      key_file,
                      volume_.image_path()});
    const auto open = driver_->open(volume_, key_);
    ASSERT_FALSE(open);
    EXPECT_EQ(open.error().code(), ErrorCode::corrupt) << open.error().to_string();
    EXPECT_NE(open.error().message().find("tampered"), std::string::npos);
}

} // namespace
} // namespace lodge::storage
