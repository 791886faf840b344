#pragma once

#include "lib/base/error.hpp"

#include <exception>
#include <new>
#include <string>

namespace lodge {

/// Runs `body`, which returns a Status. What a library throws in it, or want of memory, ends here
/// and becomes an error: nothing may leave the entry of a thread, for that ends the process.
template <typename Body>
[[nodiscard]] Status contained(const Body& body) noexcept {
    constexpr const char* kNoMemory = "out of memory"; // so short that it takes none
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
    } catch (...) { // nobody throws such a thing
        return fail(ErrorCode::internal, "unexpected");
    }
}

} // namespace lodge
