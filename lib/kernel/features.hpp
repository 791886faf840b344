#pragma once

#include <string>
#include <vector>

namespace lodge::kernel {

/// A feature that containers need and that a kernel may lack.
struct Feature {
    std::string name;
    std::string description; ///< its use
    std::string why_not;     ///< empty: the kernel has it
};
/// Probes the kernel for each feature. The probes load modules that the kernel can load. Needs
/// root. Thread-safe.
[[nodiscard]] std::vector<Feature> features();

} // namespace lodge::kernel
