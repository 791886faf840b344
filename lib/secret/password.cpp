#include "lib/secret/secret_buffer.hpp"

#include <algorithm>
#include <cerrno>

#include <crypt.h>

namespace lodge::secret {

Result<std::string> hash_password(const SecretBuffer& password) {
    const auto bytes = password.bytes();
    if (bytes.empty()) {
        return fail(ErrorCode::invalid_argument, "the password is empty");
    }
    // A NUL would cut the password short, a newline could never be typed at a login.
    const auto is_unusable = [](std::byte b) { return b == std::byte{0} || b == std::byte{'\n'}; };
    if (bytes.size() > CRYPT_MAX_PASSPHRASE_SIZE - 1 ||
        std::any_of(bytes.begin(), bytes.end(), is_unusable)) {
        return fail(ErrorCode::invalid_argument,
                    "the password is longer than 511 bytes or has a NUL or a line break in it");
    }
    // crypt wants a C string and works in `data`: both hold the password, so both are guarded
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

} // namespace lodge::secret
