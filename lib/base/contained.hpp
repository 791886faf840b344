#pragma once

#include "lib/base/error.hpp"

#include <exception>
#include <new>
#include <string>

namespace lodge {

/// Runs `body`, which returns a Status. An exception of a library, or lack of memory, ends here and
/// becomes an error: an exception that leaves the entry of a thread ends the process.
template <typename Body>
[[nodiscard]] Status contained(const Body& body) noexcept {
    constexpr const char* kNoMemory = "out of memory"; // short: needs no allocation
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::resource_exhausted, kNoMemory);
    } catch (const std::exception& error) {
        try {
            return fail(ErrorCode::internal, std::string("unexpected: ") + error.what());
        } catch (const std::bad_alloc&) {
            return fail(ErrorCode::resource_exhausted, kNoMemory);
        }
    } catch (...) { // no library throws anything else
        return fail(ErrorCode::internal, "unexpected");
    }
}

} // namespace lodge
