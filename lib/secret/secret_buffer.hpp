#pragma once

#include "lib/base/error.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace lodge::secret {

/// Bytes that must not leak: between guard pages, locked in memory, excluded from core dumps and
/// zeroed when freed (sodium_malloc). Move-only. It deliberately has no function that prints it.
class [[nodiscard]] SecretBuffer {
  public:
    SecretBuffer() noexcept = default;
    /// `size` bytes, not initialised. Fails with resource_exhausted, for example because of
    /// RLIMIT_MEMLOCK.
    static Result<SecretBuffer> allocate(std::size_t size);
    static Result<SecretBuffer> random(std::size_t size);
    /// Copies; the caller wipes its own source.
    static Result<SecretBuffer> copy_of(std::span<const std::byte> bytes);
    SecretBuffer(SecretBuffer&& other) noexcept;
    SecretBuffer& operator=(SecretBuffer&& other) noexcept;
    SecretBuffer(const SecretBuffer&) = delete;
    SecretBuffer& operator=(const SecretBuffer&) = delete;
    ~SecretBuffer();

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data_, size_}; }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  private:
    SecretBuffer(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Overwrites memory that held a secret in a way the compiler may not remove.
void wipe(std::span<std::byte> bytes) noexcept;

/// Authenticated encryption of `plain` under a 32-byte `key` (XChaCha20-Poly1305, random nonce in
/// front). `associated` is authenticated but not stored: a wrapped key that is moved to another
/// container does not open.
[[nodiscard]] Result<std::string>
seal(const SecretBuffer& key, const SecretBuffer& plain, std::string_view associated);
/// The reverse; bad_key when the key, the text or `associated` differs from the one given to
/// seal().
[[nodiscard]] Result<SecretBuffer>
open_sealed(const SecretBuffer& key, std::string_view sealed, std::string_view associated);

/// Lower-case hexadecimal digits, and back; `corrupt` when the text is not made of pairs of them.
/// Not for secrets: for sealed keys and authenticators.
[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] Result<std::string> from_hex(std::string_view text);

/// A digest of 32 hexadecimal digits that does not reveal its text (BLAKE2b). It stands for the
/// text where others can read it. Only for a text that nobody can guess.
[[nodiscard]] std::string pseudonym_of(std::string_view text);

/// An authenticator of 64 hexadecimal digits for a text, which only a holder of the 32-byte key can
/// make (HMAC-SHA512-256 under a subkey with no other use).
[[nodiscard]] Result<std::string> authenticator_of(const SecretBuffer& key, std::string_view text);
/// bad_key when the authenticator was made for another text or with another key. Compares in
/// constant time.
[[nodiscard]] Status
check_authenticator(const SecretBuffer& key, std::string_view text, std::string_view authenticator);

/// The crypt(3) hash of a login password, yescrypt with a random salt, for /etc/shadow.
[[nodiscard]] Result<std::string> hash_password(const SecretBuffer& password);
/// invalid_argument unless it is a hash that crypt(3) of this host knows, in characters that cannot
/// end its field of /etc/shadow.
[[nodiscard]] Status check_password_hash(const std::string& hash);

inline constexpr std::size_t kSealKeySize = 32;

} // namespace lodge::secret
