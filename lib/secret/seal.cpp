#include "lib/secret/octets.hpp"
#include "lib/secret/secret_buffer.hpp"

#include <sodium.h>

namespace lodge::secret {

namespace {

constexpr std::size_t kNonceSize = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagSize = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kSealKeySize == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

Status check_key(const SecretBuffer& key) {
    if (key.size() != kSealKeySize) {
        return fail(ErrorCode::bad_key, "a sealing key has 32 bytes");
    }
    return {};
}

} // namespace

Result<std::string>
seal(const SecretBuffer& key, const SecretBuffer& plain, std::string_view associated) {
    RETURN_IF_ERROR(check_key(key));
    std::string sealed(kNonceSize + plain.size() + kTagSize, '\0');
    auto* const text = reinterpret_cast<unsigned char*>(sealed.data());
    randombytes_buf(text, kNonceSize);
    // Never fails (libsodium, XChaCha20-Poly1305-IETF).
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(text + kNonceSize,
                                                     nullptr,
                                                     octets(plain.bytes()),
                                                     plain.size(),
                                                     octets(associated),
                                                     associated.size(),
                                                     nullptr,
                                                     text,
                                                     octets(key.bytes()));
    return sealed;
}

Result<SecretBuffer>
open_sealed(const SecretBuffer& key, std::string_view sealed, std::string_view associated) {
    RETURN_IF_ERROR(check_key(key));
    if (sealed.size() <= kNonceSize + kTagSize) {
        return fail(ErrorCode::corrupt, "a sealed secret is cut short");
    }
    ASSIGN_OR_RETURN(SecretBuffer plain,
                     SecretBuffer::allocate(sealed.size() - kNonceSize - kTagSize));
    const int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(octets(plain.bytes()),
                                                              nullptr,
                                                              nullptr,
                                                              octets(sealed) + kNonceSize,
                                                              sealed.size() - kNonceSize,
                                                              octets(associated),
                                                              associated.size(),
                                                              octets(sealed),
                                                              octets(key.bytes()));
    if (rc != 0) {
        return fail(ErrorCode::bad_key, "the key does not open this sealed secret");
    }
    return plain;
}

} // namespace lodge::secret
