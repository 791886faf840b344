#pragma once

#include <chrono>

namespace lodge::test {

/// `span` times LODGE_TIMEOUT_FACTOR (1 when unset): for deadlines of waits that a slow machine,
/// for example an emulated one, may reach without a fault. Never for a span that a test measures.
[[nodiscard]] std::chrono::milliseconds patience(std::chrono::milliseconds span);

} // namespace lodge::test
