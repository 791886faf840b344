#pragma once

#include "daemon/store/store.hpp"
#include "lib/model/container.hpp"

#include <cstdint>
#include <vector>

namespace lodge::daemon {

/// A container at a boot of its host.
struct Candidate {
    model::Container container;
    bool was_up = false; ///< running or frozen when the host went down
};

/// The starts of a boot and their times: the highest boot order first, then by name; each delay
/// postpones the later ones. A container that was about to be started again by its restart policy
/// counts as up. Pure.
[[nodiscard]] std::vector<PlannedStart> boot_sequence(std::vector<Candidate> candidates,
                                                      std::int64_t now);

/// Whether `a` comes before `b` when both are started.
[[nodiscard]] bool starts_before(const model::Container& a, const model::Container& b);

} // namespace lodge::daemon
