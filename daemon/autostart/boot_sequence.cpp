#include "daemon/autostart/boot_sequence.hpp"

#include <algorithm>

namespace lodge::daemon {

namespace {

bool comes_up(const Candidate& candidate) {
    switch (candidate.container.spec.boot.onboot) {
    case model::OnBoot::yes:
        return true;
    case model::OnBoot::automatic:
        return candidate.was_up || candidate.container.resume || candidate.container.start_at;
    case model::OnBoot::no:
        break;
    }
    return false;
}

} // namespace

bool starts_before(const model::Container& a, const model::Container& b) {
    const std::uint32_t first = a.spec.boot.order;
    const std::uint32_t second = b.spec.boot.order;
    return first != second ? first > second : a.spec.name < b.spec.name;
}

std::vector<PlannedStart> boot_sequence(std::vector<Candidate> candidates, std::int64_t now) {
    std::erase_if(candidates, [](const Candidate& candidate) { return !comes_up(candidate); });
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return starts_before(a.container, b.container);
    });
    std::vector<PlannedStart> starts;
    for (const Candidate& candidate : candidates) {
        starts.push_back({candidate.container.uuid, now});
        now += std::int64_t{candidate.container.spec.boot.delay_seconds} * 1000;
    }
    return starts;
}

} // namespace lodge::daemon
