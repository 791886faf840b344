#include "daemon/containers/limits.hpp"

#include <utility>

namespace lodge::daemon {

cgroup::Limits
limits_for(const Parts& parts, const model::Resources& resources, const std::string& what) {
    cgroup::Limits limits{.memory_bytes = resources.memory_bytes,
                          .cpu_millis = resources.cpu_millis,
                          .pids = resources.pids};
    if (!parts.settings.limits_best_effort) {
        return limits;
    }
    for (const UnenforcedLimit& one : unenforced_limits(parts, resources)) {
        parts.warn(what + " without its limit of " + one.controller + ": " + one.why);
        if (one.controller == "memory") {
            limits.memory_bytes.reset();
        } else if (one.controller == "cpu") {
            limits.cpu_millis.reset();
        } else {
            limits.pids.reset();
        }
    }
    return limits;
}

std::vector<UnenforcedLimit> unenforced_limits(const Parts& parts,
                                               const model::Resources& resources) {
    std::vector<UnenforcedLimit> all;
    const auto look = [&](bool is_set, const char* controller) {
        std::string why = is_set ? parts.groups.support().why_not(controller) : "";
        if (!why.empty()) {
            all.push_back({controller, std::move(why)});
        }
    };
    look(resources.memory_bytes.has_value(), "memory");
    look(resources.cpu_millis.has_value(), "cpu");
    look(resources.pids.has_value(), "pids");
    return all;
}

std::vector<std::string> warnings_of_limits(const Parts& parts, const model::Resources& resources) {
    std::vector<std::string> sentences;
    for (const UnenforcedLimit& one : unenforced_limits(parts, resources)) {
        sentences.push_back("the limit of " + one.controller +
                            " will not hold on this host: " + one.why);
    }
    return sentences;
}

} // namespace lodge::daemon
