#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// Begins the definition of the target NAME, which NAME_fuzz.cpp is: FUZZ_TARGET(NAME)(data, size).
/// A fuzzer is a program of one target; the replay has all.
#ifdef LODGE_FUZZER
#define FUZZ_TARGET(name) extern "C" int LLVMFuzzerTestOneInput
#else
#define FUZZ_TARGET(name) extern "C" int fuzz_##name
#endif

namespace lodge::test {

/// A property that must hold for every input; ends the program where it does not.
inline void must(bool holds) {
    if (!holds) {
        std::abort();
    }
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

} // namespace lodge::test
