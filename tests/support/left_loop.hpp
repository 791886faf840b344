#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::test {

/// Attaches a loop device that nothing but its being attached holds (no autoclear), over an image
/// that it has locked: what a killed open leaves where the kernel does not clear it. Its path.
[[nodiscard]] Result<std::string> leave_loop(const std::string& image, const std::string& label);

} // namespace lodge::test
