#pragma once

#include <string>
#include <vector>

namespace lodge::kernel {

/// Something that containers are made of and that a kernel may lack.
struct Feature {
    std::string name;
    std::string description; ///< what it is needed for
    std::string why_not;     ///< empty: it is here
};
/// Asks the kernel for each anew; a module that can be loaded is. Needs root. Thread-safe.
[[nodiscard]] std::vector<Feature> features();

} // namespace lodge::kernel
