#include "lib/kernel/fs.hpp"
#include "lib/kernel/fscrypt.hpp"
#include "storage/drivers.hpp"
#include "storage/filesystem.hpp"
#include "storage/loop_driver.hpp"

#include <unistd.h>

namespace lodge::storage {

namespace {

// A mount's descriptor is O_PATH and takes no ioctl: its root directory does.
Result<kernel::FscryptKeyId> add_key(const OpenVolume& volume, const secret::SecretBuffer& key) {
    ASSIGN_OR_RETURN(const auto root, kernel::open_directory_at(volume.filesystem.get(), "."));
    return kernel::add_fscrypt_key(root.get(), key.bytes());
}

Result<kernel::FscryptKeyId> wanted_key(const OpenVolume& volume) {
    ASSIGN_OR_RETURN(const auto data,
                     kernel::open_directory_at(volume.filesystem.get(), kDataDirectory));
    return kernel::fscrypt_policy_key(data.get());
}

// ext4's own encryption of the data directory and all below it: for kernels without device-mapper.
// Sizes, times and the shape of the tree stay visible; names and contents do not.
class FscryptDriver final : public LoopDriver {
  public:
    DriverInfo info() const override {
        DriverInfo info{.encryption = model::Encryption::fscrypt,
                        .description =
                            "ext4 fscrypt v2, AES-256-XTS contents and AES-256-CTS names"};
        info.why_not = missing_mke2fs();
        if (info.why_not.empty() && ::access("/sys/fs/ext4/features/encryption", F_OK) != 0) {
            info.why_not = "this kernel's ext4 has no encryption (CONFIG_FS_ENCRYPTION), or the "
                           "module is not loaded";
        }
        info.available = info.why_not.empty();
        return info;
    }

  private:
    bool encrypts() const override { return true; }

    Status protect(const OpenVolume& volume, const secret::SecretBuffer& key) override {
        ASSIGN_OR_RETURN(const auto key_id, add_key(volume, key));
        RETURN_IF_ERROR(kernel::make_directory_at(volume.filesystem.get(), kDataDirectory, 0755));
        ASSIGN_OR_RETURN(const auto data,
                         kernel::open_directory_at(volume.filesystem.get(), kDataDirectory));
        return kernel::set_fscrypt_policy(data.get(), key_id);
    }

    // The kernel takes a wrong key without an error, and each access then fails with ENOKEY. So the
    // key is compared first.
    Status unlock(const OpenVolume& volume, const secret::SecretBuffer& key) override {
        auto wanted = wanted_key(volume);
        if (!wanted) {
            Error error = std::move(wanted).error();
            const bool lost = error.code() == ErrorCode::not_found || error.sys_errno() == ENOENT;
            const ErrorCode code = lost ? ErrorCode::corrupt : error.code();
            return std::unexpected<Error>(
                std::move(error).with_code(code).context("find the volume's encrypted directory"));
        }
        ASSIGN_OR_RETURN(const auto given, add_key(volume, key));
        if (given != *wanted) {
            return fail(ErrorCode::bad_key,
                        "the key is not the one this volume was encrypted with");
        }
        return {};
    }
};

} // namespace

std::unique_ptr<VolumeDriver> make_fscrypt_driver() {
    return std::make_unique<FscryptDriver>();
}

} // namespace lodge::storage
