#include "lib/kernel/fscrypt.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/fscrypt.h>
#include <string.h>
#include <sys/ioctl.h>

namespace lodge::kernel {

namespace {

constexpr std::size_t kSmallestKey = 32; // AES-256 needs it (fscrypt.rst, "Master Keys")

// The kernel reads the key behind the fixed part of its argument, in one piece of memory. This is a
// copy of the key for one system call, so the destructor wipes it.
struct AddKeyArgument {
    alignas(fscrypt_add_key_arg)
        std::array<std::byte, sizeof(fscrypt_add_key_arg) + FSCRYPT_MAX_KEY_SIZE> bytes{};
    AddKeyArgument() = default;
    AddKeyArgument(const AddKeyArgument&) = delete;
    AddKeyArgument& operator=(const AddKeyArgument&) = delete;
    ~AddKeyArgument() { ::explicit_bzero(bytes.data(), bytes.size()); }
    fscrypt_add_key_arg* get() { return reinterpret_cast<fscrypt_add_key_arg*>(bytes.data()); }
    std::byte* raw() { return bytes.data() + sizeof(fscrypt_add_key_arg); }
};

} // namespace

Result<FscryptKeyId> add_fscrypt_key(int fd, std::span<const std::byte> key) {
    if (key.size() < kSmallestKey || key.size() > FSCRYPT_MAX_KEY_SIZE) {
        return fail(ErrorCode::bad_key, "an fscrypt key has 32 to 64 bytes");
    }
    AddKeyArgument argument;
    argument.get()->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
    argument.get()->raw_size = static_cast<__u32>(key.size());
    std::copy(key.begin(), key.end(), argument.raw());
    if (::ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, argument.get()) != 0) {
        return fail_errno("FS_IOC_ADD_ENCRYPTION_KEY");
    }
    FscryptKeyId id{};
    std::memcpy(id.data(), &argument.get()->key_spec.u.identifier[0], id.size());
    return id;
}

Status set_fscrypt_policy(int dir_fd, const FscryptKeyId& key) {
    fscrypt_policy_v2 policy{};
    policy.version = FSCRYPT_POLICY_V2;
    policy.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS;
    policy.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS;
    policy.flags = FSCRYPT_POLICY_FLAGS_PAD_32;
    std::memcpy(&policy.master_key_identifier[0], key.data(), key.size());
    if (::ioctl(dir_fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy) != 0) {
        return fail_errno("FS_IOC_SET_ENCRYPTION_POLICY");
    }
    return {};
}

Result<FscryptKeyId> fscrypt_policy_key(int dir_fd) {
    fscrypt_get_policy_ex_arg argument{};
    argument.policy_size = sizeof argument.policy;
    if (::ioctl(dir_fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &argument) != 0) {
        if (errno == ENODATA) {
            return fail(ErrorCode::not_found, "the directory is not encrypted");
        }
        return fail_errno("FS_IOC_GET_ENCRYPTION_POLICY_EX");
    }
    if (argument.policy.version != FSCRYPT_POLICY_V2 ||
        argument.policy.v2.contents_encryption_mode != FSCRYPT_MODE_AES_256_XTS ||
        argument.policy.v2.filenames_encryption_mode != FSCRYPT_MODE_AES_256_CTS) {
        return fail(ErrorCode::corrupt, "the directory has an encryption policy that is not ours");
    }
    FscryptKeyId id{};
    std::memcpy(id.data(), &argument.policy.v2.master_key_identifier[0], id.size());
    return id;
}

} // namespace lodge::kernel
