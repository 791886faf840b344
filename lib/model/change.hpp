#pragma once

#include "lib/base/error.hpp"
#include "lib/model/container.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace lodge::model {

/// What of a container's spec is to become different. A field that is absent stays as it is; a
/// limit that is there and empty is taken away. Value type.
struct SpecChange {
    template <typename T>
    using Limit = std::optional<std::optional<T>>;

    Limit<std::uint64_t> memory_bytes;
    Limit<std::uint32_t> cpu_millis;
    Limit<std::uint32_t> pids;
    std::optional<std::string> hostname; ///< takes effect at the next start; empty: the name

    PolicyChange policies;

    bool operator==(const SpecChange&) const = default;
};

/// The spec as the change makes it, judged as a whole. invalid_argument also for a change of
/// nothing. Pure.
[[nodiscard]] Result<ContainerSpec> apply(ContainerSpec spec, const SpecChange& change);

/// The limits that a change asks for: what a host must be able to enforce for it. Pure.
[[nodiscard]] Resources limits_asked(const SpecChange& change);

} // namespace lodge::model
