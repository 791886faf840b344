#include "storage/drivers.hpp"
#include "storage/filesystem.hpp"
#include "storage/loop_driver.hpp"

namespace lodge::storage {

namespace {

// No encryption. Lodge takes it only when it is asked for by name.
class PlainDriver final : public LoopDriver {
  public:
    DriverInfo info() const override {
        DriverInfo info{.encryption = model::Encryption::none,
                        .description = "ext4, not encrypted"};
        info.why_not = missing_mke2fs();
        info.available = info.why_not.empty();
        return info;
    }

  private:
    bool encrypts() const override { return false; }
    Status protect(const OpenVolume&, const secret::SecretBuffer&) override { return {}; }
    Status unlock(const OpenVolume&, const secret::SecretBuffer&) override { return {}; }
};

} // namespace

std::unique_ptr<VolumeDriver> make_plain_driver() {
    return std::make_unique<PlainDriver>();
}

} // namespace lodge::storage
