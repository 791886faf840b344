#include "lib/base/revert.hpp"
#include "lib/kernel/loop.hpp"
#include "storage/device_mapper.hpp"
#include "storage/drivers.hpp"
#include "storage/filesystem.hpp"
#include "storage/image.hpp"

#include <cerrno>
#include <memory>
#include <mutex>

#include <libcryptsetup.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::storage {

namespace {

// libcryptsetup keeps global state (device-mapper context, logging) and promises nothing to
// threads. This lock orders all our calls into it; it is held by leaf functions only.
std::mutex& cryptsetup_lock() {
    static std::mutex lock;
    return lock;
}

struct CryptFree {
    void operator()(crypt_device* device) const { crypt_free(device); }
};
using CryptDevice = std::unique_ptr<crypt_device, CryptFree>;

constexpr const char* kCipher = "aes";
constexpr const char* kCipherMode = "xts-plain64";

// The keys are random, so stretching gains nothing: the fewest iterations that PBKDF2 may have. The
// default, Argon2id, takes 1 GiB and two seconds per open.
crypt_pbkdf_type cheap_pbkdf() {
    return {.type = CRYPT_KDF_PBKDF2,
            .hash = "sha256",
            .time_ms = 0,
            .iterations = 1000,
            .max_memory_kb = 0,
            .parallel_threads = 0,
            .flags = CRYPT_PBKDF_NO_BENCHMARK};
}

// libcryptsetup returns a negated errno.
Status check(int rc, std::string_view what, const std::string& device) {
    return rc >= 0 ? Status{} : fail_errno(what, device, -rc);
}

// Without a path: for work on mappings by their names.
Result<CryptDevice> init_device(const std::string& path = "") {
    crypt_set_log_callback(nullptr, [](int, const char*, void*) {}, nullptr);
    crypt_device* raw = nullptr;
    const int rc = crypt_init(&raw, path.empty() ? nullptr : path.c_str());
    RETURN_IF_ERROR(check(rc, "open the LUKS device", path));
    return CryptDevice(raw);
}

const char* key_text(const secret::SecretBuffer& key) {
    return reinterpret_cast<const char*>(key.bytes().data());
}

Status format(const std::string& device, const secret::SecretBuffer& key) {
    const std::lock_guard guard(cryptsetup_lock());
    ASSIGN_OR_RETURN(const CryptDevice crypt, init_device(device));
    // Two metadata areas of 16 KiB and 1 MiB for keyslots instead of 16 MiB in all: less to write,
    // and still room for four slots.
    RETURN_IF_ERROR(check(crypt_set_metadata_size(crypt.get(), 16384, std::uint64_t{1} << 20),
                          "lay out the LUKS2 header of",
                          device));
    const crypt_pbkdf_type pbkdf = cheap_pbkdf();
    crypt_params_luks2 parameters{};
    parameters.pbkdf = &pbkdf;
    parameters.sector_size = 4096;
    parameters.label = "lodge";
    // A random UUID: device-mapper shows it to every tenant.
    RETURN_IF_ERROR(check(crypt_format(crypt.get(),
                                       CRYPT_LUKS2,
                                       kCipher,
                                       kCipherMode,
                                       nullptr,
                                       nullptr,
                                       kVolumeKeySize,
                                       &parameters),
                          "write the LUKS2 header of",
                          device));
    return check(
        crypt_keyslot_add_by_volume_key(crypt.get(), 0, nullptr, 0, key_text(key), key.size()),
        "add the keyslot of",
        device);
}

// LUKS2 headers are not authenticated. An attacker who can write to the image can name a weaker
// cipher, or none, and keep the keyslot. The tenant's next writes would then be in plain text.
Status check_cipher(crypt_device* crypt) {
    const char* cipher = crypt_get_cipher(crypt);
    const char* mode = crypt_get_cipher_mode(crypt);
    const bool whole =
        crypt_reencrypt_status(crypt, nullptr) == CRYPT_REENCRYPT_NONE; // one segment
    if (!whole || cipher == nullptr || mode == nullptr || std::string_view(cipher) != kCipher ||
        std::string_view(mode) != kCipherMode ||
        crypt_get_volume_key_size(crypt) != static_cast<int>(kVolumeKeySize)) {
        return fail(ErrorCode::corrupt,
                    "the LUKS2 header of the volume names another cipher than AES-256-XTS: it was "
                    "tampered with");
    }
    return {};
}

// libcryptsetup hands the volume key to dm-crypt through the keyring of the calling thread and
// leaves it there. Our threads live on, so without this the key would outlive its mapping.
Status forget_thread_keys() {
    if (::syscall(SYS_keyctl, KEYCTL_CLEAR, KEY_SPEC_THREAD_KEYRING) != 0) {
        return fail_errno("KEYCTL_CLEAR");
    }
    return {};
}

Status judge_activation(int rc, const std::string& name) {
    switch (-rc) {
    case EPERM:
        return fail(ErrorCode::bad_key, "the key opens no keyslot of '" + name + "'");
    case EEXIST:
    case EBUSY:
        return fail(ErrorCode::busy, "a mapping '" + name + "' exists already");
    case EINVAL:
        return fail(ErrorCode::corrupt,
                    "the LUKS2 header of '" + name + "' does not fit its image");
    default:
        return check(rc, "activate", name);
    }
}

// The header of a volume that an older release made has the container's own UUID, which
// device-mapper shows to every tenant.
Status hide_uuid(crypt_device* crypt, const Volume& volume) {
    const char* shown = crypt_get_uuid(crypt);
    if (shown == nullptr || shown != volume.uuid.to_string()) {
        return {};
    }
    ASSIGN_OR_RETURN(const Uuid other, Uuid::generate());
    return check(crypt_set_uuid(crypt, other.to_string().c_str()),
                 "give another UUID to the LUKS2 header of",
                 volume.image_path());
}

Status activate(const std::string& device, const Volume& volume, const secret::SecretBuffer& key) {
    const std::lock_guard guard(cryptsetup_lock());
    ASSIGN_OR_RETURN(const CryptDevice crypt, init_device(device));
    const int loaded = crypt_load(crypt.get(), CRYPT_LUKS2, nullptr);
    if (loaded == -EINVAL) {
        return fail(ErrorCode::corrupt, "the image of the volume has no valid LUKS2 header");
    }
    RETURN_IF_ERROR(check(loaded, "read the LUKS2 header of", device));
    RETURN_IF_ERROR(check_cipher(crypt.get()));
    RETURN_IF_ERROR(hide_uuid(crypt.get(), volume));
    // Discards pass, so that the sparse image shrinks; the host sees which blocks are free.
    // Private: udev probes no tenant's filesystem and makes no links to it.
    const std::string name = volume.mapper_name();
    const int rc =
        crypt_activate_by_passphrase(crypt.get(),
                                     name.c_str(),
                                     CRYPT_ANY_SLOT,
                                     key_text(key),
                                     key.size(),
                                     CRYPT_ACTIVATE_ALLOW_DISCARDS | CRYPT_ACTIVATE_PRIVATE);
    const Status forgotten = forget_thread_keys();
    RETURN_IF_ERROR(judge_activation(rc, name));
    if (!forgotten) {
        (void)crypt_deactivate(crypt.get(), name.c_str());
    }
    return forgotten;
}

// Removes the mapping at once when it is unused, else when its last user goes. Missing: success.
Status deactivate(const std::string& name) {
    const std::lock_guard guard(cryptsetup_lock());
    // The context itself is unused. While one lives, the library prints nothing and releases the
    // device-mapper's control descriptor in the end, also when the name is not found.
    ASSIGN_OR_RETURN(const CryptDevice context, init_device());
    const int rc = crypt_deactivate_by_name(nullptr, name.c_str(), CRYPT_DEACTIVATE_DEFERRED);
    // The library looks twice, and reports EINVAL for a mapping that went in between.
    const bool gone =
        rc < 0 && (rc == -ENODEV || crypt_status(context.get(), name.c_str()) == CRYPT_INACTIVE);
    return gone ? remove_unfinished_mapping(name) : check(rc, "deactivate", name);
}

// The mapping lives as long as its mounts, also after the end of this process.
Result<OpenVolume> activate_and_mount(const kernel::LoopDevice& loop,
                                      const Volume& volume,
                                      const secret::SecretBuffer& key,
                                      bool new_filesystem) {
    RETURN_IF_ERROR(activate(loop.path(), volume, key));
    Revert revert;
    revert.add([&] { (void)deactivate(volume.mapper_name()); });
    const std::string device = "/dev/mapper/" + volume.mapper_name();
    if (new_filesystem) {
        RETURN_IF_ERROR(make_ext4(device, volume.uuid, false));
    } else {
        RETURN_IF_ERROR(check_ext4(device));
    }
    ASSIGN_OR_RETURN(OpenVolume open, mount_ext4(device));
    if (new_filesystem) {
        RETURN_IF_ERROR(make_layout(open));
    }
    revert.commit();
    RETURN_IF_ERROR(deactivate(volume.mapper_name())); // deferred: the mount is its user
    return open;
}

class Luks2Driver final : public VolumeDriver {
  public:
    DriverInfo info() const override {
        DriverInfo info{.encryption = model::Encryption::luks2,
                        .description = "LUKS2 on dm-crypt, AES-256-XTS, 4096-byte sectors, ext4"};
        info.why_not = missing_dm_crypt();
        if (info.why_not.empty()) {
            info.why_not = missing_mke2fs();
        }
        info.available = info.why_not.empty();
        return info;
    }

    Result<OpenVolume> create(const Volume& volume, const secret::SecretBuffer& key) override {
        ASSIGN_OR_RETURN(const UniqueFd image, create_image(volume));
        Revert revert;
        revert.add([&] { (void)::unlink(volume.image_path().c_str()); });
        ASSIGN_OR_RETURN(const auto loop, attach(volume, image));
        RETURN_IF_ERROR(format(loop.path(), key));
        ASSIGN_OR_RETURN(OpenVolume open, activate_and_mount(loop, volume, key, true));
        revert.commit();
        return open;
    }

    Result<OpenVolume> open(const Volume& volume, const secret::SecretBuffer& key) override {
        ASSIGN_OR_RETURN(const UniqueFd image, open_image(volume));
        ASSIGN_OR_RETURN(const auto loop, attach(volume, image));
        return activate_and_mount(loop, volume, key, false);
    }

    Status close(const Volume& volume) override {
        RETURN_IF_ERROR(deactivate(volume.mapper_name()));
        RETURN_IF_ERROR(deactivate(volume.label())); // an older release's
        return wait_unused(volume);
    }

    // The overwritten head has the keyslots and both headers.
    Status destroy(const Volume& volume) override { return erase_image(volume); }

  private:
    static Result<kernel::LoopDevice> attach(const Volume& volume, const UniqueFd& image) {
        return kernel::LoopDevice::attach(image.get(),
                                          {.label = volume.label(), .block_size = 4096});
    }
};

} // namespace

std::unique_ptr<VolumeDriver> make_luks2_driver() {
    return std::make_unique<Luks2Driver>();
}

} // namespace lodge::storage
