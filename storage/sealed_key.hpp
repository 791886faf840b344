#pragma once

#include "storage/key_provider.hpp"

namespace lodge::storage {

// The sealed key of a provider that has a wrapping key at hand, for providers:
//
//     "lodge-key 2 " <provider> "\n" <nonce, sealed bytes and tag, as secret::seal makes them>
//
// The first line and the context are bound into it. Before format 2 there was no first line, and
// the container's UUID alone was bound; such a key opens for the volume that the container had
// then: slot 0, with the container's UUID.

/// The wrapping key and the provider's name.
struct Wrapping {
    const secret::SecretBuffer& key;
    std::string provider;
};

[[nodiscard]] Result<SealedKey>
wrap_with(const Wrapping& wrapping, const KeyContext& context, const secret::SecretBuffer& key);
[[nodiscard]] Result<secret::SecretBuffer>
unwrap_with(const Wrapping& wrapping, const KeyContext& context, std::string_view sealed);

} // namespace lodge::storage
