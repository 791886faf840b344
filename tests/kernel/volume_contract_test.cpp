// Each real driver is held to what the fake of tests/fault is.
#include "lib/kernel/loop.hpp"
#include "tests/contract/volumes.hpp"
#include "tests/kernel/libcryptsetup.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/left_loop.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <optional>
#include <string>

namespace lodge::test {

namespace {

template <model::Encryption encryption>
class RealVolumes : public LeakChecked {
  protected:
    static constexpr bool kEncrypted = encryption != model::Encryption::none;

    void SetUp() override {
        if (encryption == model::Encryption::luks2) {
            REQUIRES("device_mapper");
            warm_up_libcryptsetup();
        }
        if (encryption == model::Encryption::fscrypt) {
            REQUIRES("fscrypt");
        }
        LeakChecked::SetUp();
        directory_.emplace();
        driver_ = storage::make_driver(encryption);
        const Uuid uuid = Uuid::generate().value();
        volume_ = {.uuid = uuid,
                   .directory = directory_->path() + "/" + uuid.to_string(),
                   .bytes = std::uint64_t{64} << 20,
                   .encryption = encryption};
        ASSERT_EQ(::mkdir(volume_.directory.c_str(), 0700), 0);
    }
    void TearDown() override {
        directory_.reset();
        if (driver_) {
            LeakChecked::TearDown();
        }
    }
    storage::VolumeDriver& driver() { return *driver_; }
    const storage::Volume& volume() { return volume_; }
    Result<std::vector<storage::BlockDevice>> devices() {
        return storage::list_devices(directory_->path());
    }
    void hold() {
        const auto loop = leave_loop(volume_.image_path(), "backup");
        ASSERT_TRUE(loop) << loop.error().to_string();
        loop_ = *loop;
    }
    void let_go() {
        ASSERT_EQ(kernel::loop_status(loop_).value().label, "backup") << "it is as it was";
        ASSERT_TRUE(kernel::detach_loop(loop_));
    }
    void leave_device() { ASSERT_TRUE(leave_loop(volume_.image_path(), volume_.label())); }

  private:
    std::optional<TempDir> directory_;
    std::unique_ptr<storage::VolumeDriver> driver_;
    storage::Volume volume_;
    std::string loop_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(luks2, VolumeContract, RealVolumes<model::Encryption::luks2>);
INSTANTIATE_TYPED_TEST_SUITE_P(fscrypt, VolumeContract, RealVolumes<model::Encryption::fscrypt>);
INSTANTIATE_TYPED_TEST_SUITE_P(none, VolumeContract, RealVolumes<model::Encryption::none>);

} // namespace

} // namespace lodge::test
