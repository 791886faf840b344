#include "tests/support/patience.hpp"

#include <cstdlib>

namespace lodge::test {

std::chrono::milliseconds patience(std::chrono::milliseconds span) {
    const char* value =
        std::getenv("LODGE_TIMEOUT_FACTOR"); // NOLINT(concurrency-mt-unsafe): nobody writes it
    const int factor = value == nullptr ? 1 : std::atoi(value);
    return span * (factor < 1 ? 1 : factor);
}

} // namespace lodge::test
