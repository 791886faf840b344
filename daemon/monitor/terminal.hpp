#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>

namespace lodge::monitor {

/// A new pseudo-terminal of the container's own devpts.
struct Terminal {
    UniqueFd master;
    UniqueFd slave;
    unsigned number = 0; ///< its name is /dev/pts/NUMBER
};

/// Pre: `root` is the container's root directory. The tenant may have put anything at
/// /dev/pts/ptmx; anything but a pseudo-terminal of a devpts is refused.
[[nodiscard]] Result<Terminal> open_terminal(int root);

[[nodiscard]] Status set_window_size(int terminal, std::uint16_t rows, std::uint16_t columns);

} // namespace lodge::monitor
