#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::network {

/// What LinkDriver promises of forwarding, in the calling thread's namespace.
[[nodiscard]] Status ensure_forwarding(const std::string& bridge);
[[nodiscard]] std::string forwarding_fault(const std::string& bridge);

} // namespace lodge::network
