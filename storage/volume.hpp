#pragma once

#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/model/container.hpp"
#include "lib/model/object_names.hpp"
#include "lib/secret/secret_buffer.hpp"

#include <memory>
#include <string>
#include <vector>

namespace lodge::storage {

/// The names inside a volume's filesystem. All of the tenant's data is below kDataDirectory, the
/// encrypted directory of the fscrypt driver (ext4 cannot encrypt its root directory).
inline constexpr const char* kDataDirectory = "data";
inline constexpr const char* kUpperDirectory = "upper"; ///< data/upper, of a shared root
inline constexpr const char* kWorkDirectory = "work";   ///< data/work, of a shared root
inline constexpr const char* kRootDirectory = "root";   ///< data/root, of a private root

/// A volume as a value: one directory of the state directory holds one volume.
struct Volume {
    Uuid uuid; ///< of the volume; the names of its mapping and loop device derive from it
    std::string directory; ///< absolute; holds its image
    std::uint64_t bytes = 0;
    model::Encryption encryption = model::Encryption::luks2;

    [[nodiscard]] std::string image_path() const { return directory + "/" + model::kImageName; }
    /// The label of its loop device; only those who may open the device can read it.
    [[nodiscard]] std::string label() const { return model::volume_label(uuid); }
    /// The name of its mapping. Every tenant may read it in sysfs, so it does not show the
    /// volume. A mapping of an older release has the label as its name.
    [[nodiscard]] std::string mapper_name() const;
};

/// An open volume: its filesystem, in a detached mount (nodev). The holder need not close it. When
/// the last reference goes (this descriptor and every mount made from it), the kernel unmounts the
/// filesystem, removes the mapping (deferred), detaches the loop device (autoclear) and forgets the
/// key.
struct OpenVolume {
    kernel::MountFd filesystem;
};

/// The driver's needs and its protection, for `host info` and for policy.
struct DriverInfo {
    model::Encryption encryption = model::Encryption::none;
    bool available = false;
    std::string why_not;     ///< set when not available: the missing part
    std::string description; ///< cipher and layout, one line
};

/// One way to make, open and close volumes. Stateless and thread-safe. Drivers know no container
/// and no database. Every verb is idempotent as far as its name allows. All but create and open
/// succeed when there is nothing to do.
class VolumeDriver {
  public:
    VolumeDriver() = default;
    VolumeDriver(const VolumeDriver&) = delete;
    VolumeDriver& operator=(const VolumeDriver&) = delete;
    virtual ~VolumeDriver() = default;

    /// Probes the running kernel and the programs; cheap enough to call at every daemon start.
    [[nodiscard]] virtual DriverInfo info() const = 0;
    /// Makes the image, the encryption, the filesystem and the empty layout (data/upper and
    /// data/work), and returns the volume open, to be filled. Pre: the directory exists.
    /// already_exists when it holds an image. On failure nothing is left.
    [[nodiscard]] virtual Result<OpenVolume> create(const Volume& volume,
                                                    const secret::SecretBuffer& key) = 0;
    /// bad_key when the key does not open the image; corrupt when the image is damaged.
    [[nodiscard]] virtual Result<OpenVolume> open(const Volume& volume,
                                                  const secret::SecretBuffer& key) = 0;
    /// Removes whatever a crash left of an open of this volume (mapping, loop device). Waits until
    /// nobody uses the image, or fails with busy.
    [[nodiscard]] virtual Status close(const Volume& volume) = 0;
    /// Crypto-erase (header or wrapped material first), then unlink. Pre: closed.
    [[nodiscard]] virtual Status destroy(const Volume& volume) = 0;
};

/// The driver of an encryption; never null. A driver that this host cannot run says so in info().
[[nodiscard]] std::unique_ptr<VolumeDriver> make_driver(model::Encryption encryption);

/// A block device over a volume, loop device or mapping, for the inventory.
struct BlockDevice {
    std::string name;  ///< "/dev/loop3", "dm-0"
    std::string label; ///< Volume::label() if we made it, else anything
    std::string image; ///< the file below it
};
/// The devices of this host over an image in a directory of `directory`: ours, each with its label
/// and its file, and those of others whose path shows the image.
[[nodiscard]] Result<std::vector<BlockDevice>> list_devices(const std::string& directory);

/// Length of the random key that each volume gets: 64 bytes serve AES-256-XTS and fscrypt v2 alike.
inline constexpr std::size_t kVolumeKeySize = 64;

} // namespace lodge::storage
