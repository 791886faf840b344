#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::test {

/// The part of its image's path that a loop device shows to every process.
enum class Shown {
    whole_path, ///< as in releases before kernel::open_unseen()
    name_alone,
};

/// Attaches a loop device without autoclear and without a user, over an image that it has locked:
/// the state after a killed open on a kernel that does not clear it. Returns its path.
[[nodiscard]] Result<std::string>
leave_loop(const std::string& image, const std::string& label, Shown shown = Shown::name_alone);

} // namespace lodge::test
