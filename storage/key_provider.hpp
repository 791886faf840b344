#pragma once

#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"
#include "lib/secret/secret_buffer.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lodge::storage {

/// The volume that a key belongs to. It is bound into the sealed key, which opens for no other.
struct KeyContext {
    Uuid container;
    Uuid volume;
    std::uint32_t slot = 0; ///< of the volume in its container
};

/// A key as a provider has wrapped it: bytes that are no secret, for a row and a record.
using SealedKey = std::string;

/// Wraps and unwraps the keys of volumes. What it wraps them with stays inside: nobody else holds a
/// master key, and a provider may have none (a service or a chip that wraps). Thread-safe.
class KeyProvider {
  public:
    KeyProvider() = default;
    KeyProvider(const KeyProvider&) = delete;
    KeyProvider& operator=(const KeyProvider&) = delete;
    virtual ~KeyProvider() = default;

    /// "file", ...: a part of each sealed key.
    [[nodiscard]] virtual std::string name() const = 0;
    /// Makes what the provider needs on a host without containers. It never replaces a key.
    [[nodiscard]] virtual Status prepare() = 0;
    /// Whether keys can be wrapped and unwrapped now, with the reason why not.
    [[nodiscard]] virtual Status ready() = 0;
    /// Fails as ready() does.
    [[nodiscard]] virtual Result<SealedKey> wrap(const KeyContext& context,
                                                 const secret::SecretBuffer& key) = 0;
    /// Fails as ready() does. bad_key when the key was changed, or wrapped for another context or
    /// with another master key; corrupt when it is too short to be one; unsupported when another
    /// provider or a newer release wrapped it.
    [[nodiscard]] virtual Result<secret::SecretBuffer> unwrap(const KeyContext& context,
                                                              std::string_view sealed) = 0;
    /// Checks the authenticator of a record of format 1, made with the master key of "file" by an
    /// earlier release. Other providers have made none: bad_key.
    [[nodiscard]] virtual Status check_early_authenticator(std::string_view text,
                                                           std::string_view authenticator);
};

/// The default: a master key in a file (key_file.hpp), read for each use and then forgotten.
[[nodiscard]] std::unique_ptr<KeyProvider> make_file_key_provider(std::string path);

} // namespace lodge::storage
