#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::test {

/// How much of its image's place a loop device shows to everybody.
enum class Shown {
    whole_path, ///< as releases before kernel::open_unseen() attached
    name_alone,
};

/// Attaches a loop device that nothing but its being attached holds (no autoclear), over an image
/// that it has locked: what a killed open leaves where the kernel does not clear it. Its path.
[[nodiscard]] Result<std::string>
leave_loop(const std::string& image, const std::string& label, Shown shown = Shown::name_alone);

} // namespace lodge::test
