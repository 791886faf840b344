#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace lodge::kernel {

/// A file in memory (memfd_create(2)) with this content, at offset 0. It is sealed, so nobody can
/// change it.
[[nodiscard]] Result<UniqueFd> make_memory_file(const char* name, std::string_view content);

/// The whole content of such a file. A file without seals is refused, because it could change
/// meanwhile. resource_exhausted when it is longer than `limit`.
[[nodiscard]] Result<std::string> read_memory_file(int fd, std::size_t limit);

} // namespace lodge::kernel
