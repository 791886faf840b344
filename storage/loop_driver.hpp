#pragma once

#include "storage/volume.hpp"

namespace lodge::storage {

/// The common part of fscrypt and plain volumes: ext4 directly on the loop device. The two hooks
/// have the only difference, the treatment of the data directory.
class LoopDriver : public VolumeDriver {
  public:
    Result<OpenVolume> create(const Volume& volume, const secret::SecretBuffer& key) final;
    Result<OpenVolume> open(const Volume& volume, const secret::SecretBuffer& key) final;
    Status close(const Volume& volume) final;
    Status destroy(const Volume& volume) final;

  private:
    /// Whether mke2fs gives the filesystem its encrypt feature.
    [[nodiscard]] virtual bool encrypts() const = 0;
    /// Called before the layout is made in a new filesystem.
    [[nodiscard]] virtual Status protect(const OpenVolume& volume,
                                         const secret::SecretBuffer& key) = 0;
    /// Called after an existing filesystem was mounted.
    [[nodiscard]] virtual Status unlock(const OpenVolume& volume,
                                        const secret::SecretBuffer& key) = 0;
};

} // namespace lodge::storage
