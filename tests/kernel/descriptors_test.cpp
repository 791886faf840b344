// The inventory of block devices when the process has no descriptor left.
#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"
#include "storage/volume.hpp"
#include "tests/support/few_descriptors.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace lodge {
namespace {

class DescriptorsTest : public test::LeakChecked {
  protected:
    void SetUp() override {
        LeakChecked::SetUp();
        directory_.emplace();
        image_ = directory_->path() + "/image";
        const auto file = kernel::open_file(image_, O_RDWR | O_CREAT, 0600);
        ASSERT_TRUE(file);
        ASSERT_EQ(::ftruncate(file->get(), 1 << 20), 0);
        auto loop = kernel::LoopDevice::attach(file->get(), {.label = "lodge-test-descriptors"});
        ASSERT_TRUE(loop) << loop.error().to_string();
        loop_.emplace(std::move(*loop));
    }
    void TearDown() override {
        loop_.reset();
        directory_.reset();
        LeakChecked::TearDown();
    }

    std::optional<test::TempDir> directory_;
    std::string image_;
    std::optional<kernel::LoopDevice> loop_;
};

TEST_F(DescriptorsTest, WantOfThemDoesNotReadAsDetached) {
    const auto look = [&]() -> Result<std::vector<std::string>> {
        ASSIGN_OR_RETURN(const auto loops, kernel::list_loops());
        std::vector<std::string> ours; // others of the host come and go
        for (const kernel::LoopInfo& loop : loops) {
            if (loop.path == loop_->path()) {
                ours.push_back(loop.path);
            }
        }
        return ours;
    };
    ASSERT_EQ(look().value().size(), 1U);
    EXPECT_GE(test::count_honest_failures(look), 2); // the directory, a device's file
}

TEST_F(DescriptorsTest, WantOfThemHidesNoDeviceOfAVolume) {
    const auto look = [&]() -> Result<std::vector<std::string>> {
        ASSIGN_OR_RETURN(const auto devices, storage::list_devices(directory_->path()));
        std::vector<std::string> labels;
        for (const storage::BlockDevice& device : devices) {
            labels.push_back(device.label);
        }
        return labels;
    };
    ASSERT_EQ(look().value(), std::vector<std::string>{"lodge-test-descriptors"});
    EXPECT_GE(test::count_honest_failures(look), 2);
}

TEST_F(DescriptorsTest, WantOfThemChoosesNoOtherEncryption) {
    for (const auto encryption : {model::Encryption::luks2, model::Encryption::fscrypt}) {
        const auto driver = storage::make_driver(encryption);
        const bool available = driver->info().available;
        const test::FewDescriptors none(0);
        EXPECT_TRUE(driver->info().available || !available) << driver->info().why_not;
    }
}

} // namespace
} // namespace lodge
