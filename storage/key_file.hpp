#pragma once

#include "lib/base/error.hpp"
#include "lib/secret/secret_buffer.hpp"

#include <string>

namespace lodge::storage {

/// A key of the host in a file of 32 random bytes, a regular file of root with mode 0600. `what`
/// names the key in errors: "the master key".
struct KeyFile {
    std::string path;
    std::string what;
};

/// Reads it into guarded memory. not_found when it is not there, permission_denied when it is a
/// link or others can read it, corrupt when it has another size.
[[nodiscard]] Result<secret::SecretBuffer> read_key_file(const KeyFile& file);

/// Makes it if it is not there, whole and synced. Never replaces one. Two processes that make it at
/// the same time get one key.
[[nodiscard]] Status make_key_file(const KeyFile& file);

} // namespace lodge::storage
