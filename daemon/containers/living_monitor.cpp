#include "daemon/containers/living_monitor.hpp"

namespace lodge::daemon {

Result<std::shared_ptr<Monitor>>
living_monitor(const Parts& parts, const std::string& name, model::Verb verb) {
    ASSIGN_OR_RETURN(const auto container, parts.containers.find(name));
    RETURN_IF_ERROR(model::allowed(verb, container.state, name));
    auto monitor = parts.monitors.find(container.uuid);
    if (!monitor) {
        return std::unexpected<Error>(being_stopped(name));
    }
    return monitor;
}

Error being_stopped(const std::string& name) {
    return {ErrorCode::invalid_state, "'" + name + "' is being stopped"};
}

} // namespace lodge::daemon
