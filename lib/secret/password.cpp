#include "lib/secret/secret_buffer.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <crypt.h>

namespace lodge::secret {

Result<std::string> hash_password(const SecretBuffer& password) {
    const auto bytes = password.bytes();
    if (bytes.empty()) {
        return fail(ErrorCode::invalid_argument, "the password is empty");
    }
    // A NUL would end the password early. Nobody can type a line break in a password at a login.
    const auto is_unusable = [](std::byte b) {
        return b == std::byte{0} || b == std::byte{'\n'} || b == std::byte{'\r'};
    };
    if (bytes.size() > CRYPT_MAX_PASSPHRASE_SIZE - 1 ||
        std::any_of(bytes.begin(), bytes.end(), is_unusable)) {
        return fail(ErrorCode::invalid_argument,
                    "the password is longer than 511 bytes or has a NUL or a line break in it");
    }
    // crypt_r(3) needs a C string and works in `data`. Both hold the password, so both are guarded
    // memory.
    ASSIGN_OR_RETURN(SecretBuffer phrase, SecretBuffer::allocate(bytes.size() + 1));
    std::copy(bytes.begin(), bytes.end(), phrase.bytes().begin());
    phrase.bytes().back() = std::byte{0};
    ASSIGN_OR_RETURN(SecretBuffer work, SecretBuffer::allocate(sizeof(crypt_data)));
    std::fill(work.bytes().begin(), work.bytes().end(), std::byte{0});
    auto* const data = reinterpret_cast<crypt_data*>(work.bytes().data());
    std::string setting(CRYPT_GENSALT_OUTPUT_SIZE, '\0');
    // man 5 crypt: $y$ is yescrypt, the default of every Debian since 11; count 0 is its default
    // cost.
    if (crypt_gensalt_rn("$y$", 0, nullptr, 0, setting.data(), static_cast<int>(setting.size())) ==
        nullptr) {
        return fail_errno("crypt_gensalt_rn");
    }
    const char* hash =
        crypt_r(reinterpret_cast<const char*>(phrase.bytes().data()), setting.c_str(), data);
    if (hash == nullptr || *hash == '*') {
        return fail_errno("crypt_r");
    }
    return std::string(hash);
}

Status check_password_hash(const std::string& hash) {
    // man 5 crypt: hashes are printable ASCII without whitespace and none of ":;*!\\".
    const bool printable = std::all_of(hash.begin(), hash.end(), [](char c) {
        return c > ' ' && c <= '~' && std::string_view(":;*!\\").find(c) == std::string_view::npos;
    });
    constexpr std::size_t kShortest = 26; // "$1$$" and 22 characters, of the oldest method
    if (hash.size() < kShortest || hash.size() >= CRYPT_OUTPUT_SIZE || !printable ||
        !hash.starts_with('$') || crypt_checksalt(hash.c_str()) != CRYPT_SALT_OK) {
        return fail(ErrorCode::invalid_argument,
                    "'root_password_hash' is no hash of crypt(3), as `mkpasswd` prints it");
    }
    return {};
}

} // namespace lodge::secret
