#include "daemon/containers/limits.hpp"

namespace lodge::daemon {

cgroup::Limits
limits_for(const Parts& parts, const model::Resources& resources, const std::string& what) {
    cgroup::Limits limits{.memory_bytes = resources.memory_bytes,
                          .cpu_millis = resources.cpu_millis,
                          .pids = resources.pids};
    if (!parts.settings.limits_best_effort) {
        return limits;
    }
    const auto keep = [&](auto& limit, const char* controller) {
        const std::string why = limit ? parts.groups.support().why_not(controller) : "";
        if (!why.empty()) {
            limit.reset();
            parts.warn(what + " without its limit of " + controller + ": " + why);
        }
    };
    keep(limits.memory_bytes, "memory");
    keep(limits.cpu_millis, "cpu");
    keep(limits.pids, "pids");
    return limits;
}

} // namespace lodge::daemon
