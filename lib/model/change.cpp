#include "lib/model/change.hpp"

namespace lodge::model {

Result<ContainerSpec> apply(ContainerSpec spec, const SpecChange& change) {
    if (change == SpecChange{}) {
        return fail(ErrorCode::invalid_argument, "nothing was given that is to be changed");
    }
    Resources& resources = spec.resources;
    resources.memory_bytes = change.memory_bytes.value_or(resources.memory_bytes);
    resources.cpu_millis = change.cpu_millis.value_or(resources.cpu_millis);
    resources.pids = change.pids.value_or(resources.pids);
    spec.hostname = change.hostname.value_or(spec.hostname);
    if (spec.hostname.empty()) {
        spec.hostname = spec.name;
    }
    apply(change.policies, spec.boot, spec.restart);
    RETURN_IF_ERROR(validate(spec));
    return spec;
}

Resources limits_asked(const SpecChange& change) {
    return {.memory_bytes = change.memory_bytes.value_or(std::nullopt),
            .cpu_millis = change.cpu_millis.value_or(std::nullopt),
            .pids = change.pids.value_or(std::nullopt)};
}

} // namespace lodge::model
