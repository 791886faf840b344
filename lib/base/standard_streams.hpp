#pragma once

#include "lib/base/error.hpp"

namespace lodge {

/// Opens /dev/null as each of the descriptors 0 to 2 that is closed. Without this a file opened
/// later would become a standard stream. Each of our programs calls this first.
[[nodiscard]] Status fill_standard_streams();

} // namespace lodge
