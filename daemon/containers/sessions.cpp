#include "daemon/containers/sessions.hpp"

#include "daemon/containers/kept_console.hpp"
#include "daemon/containers/living_monitor.hpp"
#include "daemon/runtime/host_keys.hpp"

namespace lodge::daemon {

Status Sessions::exec(const Caller&,
                      const std::string& name,
                      const ExecRequest& request,
                      const TakeClient& take_client) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(parts_, name, model::Verb::exec));
    return unless_gone(name, monitor->exec(request, take_client));
}

Status Sessions::console(const Caller&, const std::string& name, const TakeClient& take_client) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(parts_, name, model::Verb::console));
    return unless_gone(name, monitor->console(take_client));
}

// In every state: an operator needs the words of an init most after it has ended.
Result<std::string> Sessions::console_log(const Caller&, const std::string& name) {
    ASSIGN_OR_RETURN(const auto container, parts_.containers.find(name));
    Result<std::string> living = std::string();
    if (const auto monitor = parts_.monitors.find(container.uuid)) {
        living = monitor->console_log();
        if (!living && living.error().code() == ErrorCode::not_found) {
            living = std::string(); // collected meanwhile
        }
    }
    RETURN_IF_ERROR(living);
    ASSIGN_OR_RETURN(const std::string kept,
                     kept_console(parts_.settings.run_directory, container.uuid));
    // It is kept when it is over: one that still runs is none of those, however alike they are.
    const auto now = parts_.containers.find(container.uuid);
    const bool runs = now && now->init_pid && now->init_pid == container.init_pid;
    return runs ? kept + *living : joined_consoles(kept, *living);
}

Result<std::string> Sessions::ssh_host_keys(const Caller&, const std::string& name) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(parts_, name, model::Verb::exec));
    ASSIGN_OR_RETURN(std::string keys, unless_gone(name, read_host_keys(*monitor)));
    if (keys.empty()) {
        return fail(ErrorCode::not_found,
                    "'" + name + "' has no SSH host keys (yet); wait for it with `lodge wait " +
                        name + "`");
    }
    return keys;
}

} // namespace lodge::daemon
