#pragma once

#include "lib/base/error.hpp"

namespace lodge {

/// Puts /dev/null where descriptors 0 to 2 are closed, so that nothing that is opened later is
/// taken for one of the standard streams. The first call of every program of ours.
[[nodiscard]] Status fill_standard_streams();

} // namespace lodge
