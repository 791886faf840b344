#pragma once

#include "lib/base/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lodge::kernel {

/// Identifies a master key of fscrypt v2: derived by the kernel from the key itself.
using FscryptKeyId = std::array<std::uint8_t, 16>;

/// FS_IOC_ADD_ENCRYPTION_KEY (Documentation/filesystems/fscrypt.rst): the key joins the keyring of
/// the filesystem that `fd` lies on and stays until it is unmounted. 32 to 64 bytes. Needs
/// CAP_SYS_ADMIN only for v1 policies.
[[nodiscard]] Result<FscryptKeyId> add_fscrypt_key(int fd, std::span<const std::byte> key);

/// FS_IOC_SET_ENCRYPTION_POLICY, v2, on an empty directory: AES-256-XTS contents, AES-256-CTS
/// names.
[[nodiscard]] Status set_fscrypt_policy(int dir_fd, const FscryptKeyId& key);

/// The key of the directory's policy; not_found when it is not encrypted, corrupt when its policy
/// is not one that set_fscrypt_policy makes.
[[nodiscard]] Result<FscryptKeyId> fscrypt_policy_key(int dir_fd);

} // namespace lodge::kernel
