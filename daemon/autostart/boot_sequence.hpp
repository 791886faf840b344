#pragma once

#include "daemon/store/store.hpp"
#include "lib/model/container.hpp"

#include <cstdint>
#include <vector>

namespace lodge::daemon {

/// A container as a boot of its host finds it.
struct Candidate {
    model::Container container;
    bool was_up = false; ///< running or frozen as the host went down
};

/// Which containers a boot brings up and when: the highest boot order first, names decide among
/// equals, each one's delay holding up those behind it. One that was about to be started again by
/// its restart policy counts as up. Pure.
[[nodiscard]] std::vector<PlannedStart> boot_sequence(std::vector<Candidate> candidates,
                                                      std::int64_t now);

/// Whether `a` comes before `b` when both are started.
[[nodiscard]] bool starts_before(const model::Container& a, const model::Container& b);

} // namespace lodge::daemon
