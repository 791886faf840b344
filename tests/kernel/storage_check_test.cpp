// Filesystems that a power cut or an error left behind.
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "storage/volume.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::storage {
namespace {

class VolumeCheck : public test::LeakChecked {
  protected:
    void SetUp() override {
        LeakChecked::SetUp();
        directory_.emplace();
        volume_ = {.uuid = Uuid::generate().value(),
                   .directory = directory_->path() + "/one",
                   .bytes = std::uint64_t{64} << 20,
                   .encryption = model::Encryption::none};
        ASSERT_TRUE(kernel::make_directories(volume_.directory, 0700));
        driver_ = make_driver(model::Encryption::none);
    }
    void TearDown() override {
        directory_.reset();
        LeakChecked::TearDown();
    }
    static std::string run(const std::string& program, std::vector<std::string> arguments) {
        const auto done = kernel::run_program(
            {.path = program,
             .arguments = std::move(arguments),
             .deadline = Deadline::after(test::patience(std::chrono::seconds(20)))});
        EXPECT_TRUE(done) << done.error().to_string();
        return done ? done->standard_output : "";
    }
    std::string superblock() const { return run("dumpe2fs", {"-h", volume_.image_path()}); }

    std::optional<test::TempDir> directory_;
    Volume volume_;
    std::unique_ptr<VolumeDriver> driver_;
    secret::SecretBuffer key_ = secret::SecretBuffer::random(kVolumeKeySize).value();
};

TEST_F(VolumeCheck, MountsWhatAPowerCutLeft) {
    Volume cut = volume_;
    cut.directory = directory_->path() + "/cut";
    ASSERT_TRUE(kernel::make_directories(cut.directory, 0700));
    {
        auto open = driver_->create(volume_, key_);
        ASSERT_TRUE(open) << open.error().to_string();
        auto file =
            kernel::open_at(open->filesystem.get(), "data/upper/kept", O_WRONLY | O_CREAT, 0600);
        ASSERT_TRUE(file && kernel::write_all(file->get(), "kept"));
        ASSERT_EQ(::syncfs(file->get()), 0);
        // As the disk is at this moment: in use.
        (void)run("cp", {"--sparse=always", volume_.image_path(), cut.image_path()});
    }
    ASSERT_TRUE(driver_->close(volume_));
    volume_ = cut;
    ASSERT_NE(superblock().find("needs_recovery"), std::string::npos);
    {
        auto open = driver_->open(volume_, key_);
        ASSERT_TRUE(open) << open.error().to_string();
        auto file = kernel::open_at(open->filesystem.get(), "data/upper/kept", O_RDONLY);
        ASSERT_TRUE(file);
        EXPECT_EQ(kernel::read_all(file->get(), 16).value(), "kept");
    }
    ASSERT_TRUE(driver_->close(volume_));
}

TEST_F(VolumeCheck, MendsWhatTheKernelMarkedAsFaulty) {
    ASSERT_TRUE(driver_->create(volume_, key_));
    ASSERT_TRUE(driver_->close(volume_));
    (void)run("debugfs", {"-w", "-R", "set_super_value state 2", volume_.image_path()});
    ASSERT_NE(superblock().find("with errors"), std::string::npos);
    auto open = driver_->open(volume_, key_);
    ASSERT_TRUE(open) << open.error().to_string();
    *open = {};
    ASSERT_TRUE(driver_->close(volume_));
    EXPECT_EQ(superblock().find("with errors"), std::string::npos);
}

TEST_F(VolumeCheck, LeavesWhatAPersonMustDecide) {
    ASSERT_TRUE(driver_->create(volume_, key_));
    ASSERT_TRUE(driver_->close(volume_));
    (void)run("debugfs", {"-w", "-R", "clri <2>", volume_.image_path()});
    (void)run("debugfs", {"-w", "-R", "set_super_value state 2", volume_.image_path()});
    const auto open = driver_->open(volume_, key_);
    ASSERT_FALSE(open);
    EXPECT_EQ(open.error().code(), ErrorCode::corrupt) << open.error().to_string();
    EXPECT_NE(open.error().message().find("e2fsck"), std::string::npos);
    ASSERT_TRUE(driver_->close(volume_));
}

} // namespace
} // namespace lodge::storage
