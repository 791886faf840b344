#include "lib/kernel/fs.hpp"
#include "storage/volume.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::storage {
namespace {

constexpr const char* kCanary = "canary-7f3a9c51-in-plain-text";

class VolumeTest : public test::LeakChecked,
                   public ::testing::WithParamInterface<model::Encryption> {
  protected:
    void SetUp() override {
        if (GetParam() == model::Encryption::luks2) {
            REQUIRES("device_mapper");
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

TEST_P(VolumeTest, KeepsWhatWasWrittenAcrossCloseAndOpen) {
    {
        auto open = driver_->create(volume_, key_);
        ASSERT_TRUE(open) << open.error().to_string();
        write_canary(*open);
    }
    ASSERT_TRUE(driver_->close(volume_));
    {
        auto open = driver_->open(volume_, key_);
        ASSERT_TRUE(open) << open.error().to_string();
        auto file = kernel::open_at(open->filesystem.get(), "data/upper/canary", O_RDONLY);
        ASSERT_TRUE(file);
        EXPECT_NE(kernel::read_all(file->get(), 1 << 20).value().find(kCanary), std::string::npos);
    }
    ASSERT_TRUE(driver_->close(volume_));
    ASSERT_TRUE(driver_->destroy(volume_));
    EXPECT_NE(::access(volume_.image_path().c_str(), F_OK), 0);
}

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

TEST_P(VolumeTest, RefusesAWrongKey) {
    if (GetParam() == model::Encryption::none) {
        return; // it has none
    }
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    const auto other = secret::SecretBuffer::random(kVolumeKeySize).value();
    const auto open = driver_->open(volume_, other);
    ASSERT_FALSE(open);
    EXPECT_EQ(open.error().code(), ErrorCode::bad_key) << open.error().to_string();
    ASSERT_TRUE(driver_->close(volume_));
}

TEST_P(VolumeTest, RefusesASecondCreate) {
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    const auto again = driver_->create(volume_, key_);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::already_exists);
    EXPECT_EQ(::access(volume_.image_path().c_str(), F_OK), 0) << "the first one must stay";
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

TEST_P(VolumeTest, IsClosedByTheKernelWhenItsHolderIsKilled) {
    (void)driver_->create(volume_, key_).value();
    ASSERT_TRUE(driver_->close(volume_));
    const pid_t child = ::fork(); // this test program has no threads
    if (child == 0) {
        const auto open = driver_->open(volume_, key_);
        (void)::raise(open ? SIGKILL : SIGABRT);
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    // No close(): the leak check at the end looks for the loop device and the mapping.
}

TEST_P(VolumeTest, DestroysWhatIsNotThere) {
    EXPECT_TRUE(driver_->close(volume_));
    EXPECT_TRUE(driver_->destroy(volume_));
}

INSTANTIATE_TEST_SUITE_P(Drivers,
                         VolumeTest,
                         ::testing::Values(model::Encryption::luks2,
                                           model::Encryption::fscrypt,
                                           model::Encryption::none),
                         [](const auto& driver) {
                             return std::string(model::to_string(driver.param));
                         });

} // namespace
} // namespace lodge::storage
