#pragma once

#include "lib/base/error.hpp"
#include "lib/secret/secret_buffer.hpp"

#include <memory>
#include <string>

namespace lodge::storage {

/// The source of the master key, which wraps the volume keys.
class KeyProvider {
  public:
    KeyProvider() = default;
    KeyProvider(const KeyProvider&) = delete;
    KeyProvider& operator=(const KeyProvider&) = delete;
    virtual ~KeyProvider() = default;

    /// "file", ...: recorded beside each wrapped key.
    [[nodiscard]] virtual std::string name() const = 0;
    /// The 32-byte master key. Thread-safe. permission_denied when others can read its store,
    /// corrupt when the store holds no key.
    [[nodiscard]] virtual Result<secret::SecretBuffer> master_key() = 0;
};

/// The default: a file of 32 random bytes, mode 0600, made (and synced) at first use. It refuses a
/// file that is not a regular file of root without access for others.
[[nodiscard]] std::unique_ptr<KeyProvider> make_file_key_provider(std::string path);

} // namespace lodge::storage
