#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lodge::test {

struct FuzzTarget {
    std::string name; ///< also of its folder in tests/fuzz/corpus
    int (*run)(const std::uint8_t* data, std::size_t size);
};

/// Every *_fuzz.cpp of this directory.
[[nodiscard]] std::vector<FuzzTarget> fuzz_targets();

} // namespace lodge::test
