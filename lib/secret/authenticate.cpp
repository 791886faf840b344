#include "lib/secret/octets.hpp"
#include "lib/secret/secret_buffer.hpp"

#include <sodium.h>

namespace lodge::secret {

namespace {

static_assert(kSealKeySize == crypto_kdf_KEYBYTES);
constexpr std::uint64_t kAuthenticatorKey = 1; ///< number of the subkey: never change it
constexpr const char* kContext = "lodge-mc";   ///< crypto_kdf_CONTEXTBYTES of it
constexpr std::size_t kHexSize = crypto_auth_BYTES * 2;

Result<SecretBuffer> subkey_of(const SecretBuffer& parent) {
    if (parent.size() != kSealKeySize) {
        return fail(ErrorCode::bad_key, "a key of authenticators has 32 bytes");
    }
    ASSIGN_OR_RETURN(SecretBuffer key, SecretBuffer::allocate(crypto_auth_KEYBYTES));
    const auto bytes = parent.bytes();
    if (crypto_kdf_derive_from_key(octets(key.bytes()),
                                   key.size(),
                                   kAuthenticatorKey,
                                   kContext,
                                   reinterpret_cast<const unsigned char*>(bytes.data())) != 0) {
        return fail(ErrorCode::internal, "derive the authenticator's key");
    }
    return key;
}

} // namespace

std::string to_hex(std::string_view bytes) {
    std::string text(bytes.size() * 2 + 1, '\0'); // sodium adds a NUL
    (void)sodium_bin2hex(text.data(), text.size(), octets(bytes), bytes.size());
    text.pop_back();
    return text;
}

Result<std::string> from_hex(std::string_view text) {
    std::string bytes(text.size() / 2, '\0');
    std::size_t size = 0;
    const int rc = sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()),
                                  bytes.size(),
                                  text.data(),
                                  text.size(),
                                  nullptr,
                                  &size,
                                  nullptr);
    if (rc != 0 || size * 2 != text.size()) {
        return fail(ErrorCode::corrupt, "what should be hexadecimal digits is not");
    }
    return bytes;
}

std::string pseudonym_of(std::string_view text) {
    constexpr std::size_t kSize = 16;
    std::string digest(kSize, '\0');
    // Cannot fail: the sizes are in range.
    (void)crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()),
                             digest.size(),
                             octets(text),
                             text.size(),
                             nullptr,
                             0);
    return to_hex(digest);
}

Result<std::string> authenticator_of(const SecretBuffer& key, std::string_view text) {
    ASSIGN_OR_RETURN(const SecretBuffer subkey, subkey_of(key));
    std::string tag(crypto_auth_BYTES, '\0');
    const auto bytes = subkey.bytes();
    // Never fails (libsodium, HMAC-SHA512-256).
    (void)crypto_auth(reinterpret_cast<unsigned char*>(tag.data()),
                      octets(text),
                      text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()));
    return to_hex(tag);
}

Status check_authenticator(const SecretBuffer& key,
                           std::string_view text,
                           std::string_view authenticator) {
    ASSIGN_OR_RETURN(const std::string wanted, authenticator_of(key, text));
    if (authenticator.size() != kHexSize ||
        sodium_memcmp(wanted.data(), authenticator.data(), kHexSize) != 0) {
        return fail(ErrorCode::bad_key,
                    "the authenticator does not fit: the text was changed, or another key made it");
    }
    return {};
}

} // namespace lodge::secret
