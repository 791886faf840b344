#include "daemon/recovery/earlier_boots.hpp"

#include "daemon/containers/logged_verb.hpp"
#include "daemon/containers/verbs.hpp"
#include "daemon/recovery/unfinished.hpp"

namespace lodge::daemon {

namespace {

Status write_ending(const Parts& parts, const LoggedOperation& left, BootEnding ending) {
    if (ending == BootEnding::as_recorded) {
        return {};
    }
    // Checked before: it names a container.
    auto container = parts.containers.find(parse_arguments(left.arguments)->container);
    if (!container) {
        return container.error().code() == ErrorCode::not_found
                   ? Status{}
                   : std::unexpected<Error>(container.error());
    }
    if (container->state != model::State::stopped) {
        mark_booted_away(*container);
        container->broken_why.clear();
    }
    container->start_at.reset();
    container->restarts = 0;
    container->resume = ending == BootEnding::comes_back;
    return parts.containers.update_state(*container, parts.boot_id);
}

} // namespace

void mark_booted_away(model::Container& container) {
    container.state = model::State::stopped;
    container.init_pid.reset();
    container.init_start_time.reset();
    container.last_exit = "host was booted";
}

Status end_verbs_of_earlier_boots(const Parts& parts, OperationLog& log) {
    ASSIGN_OR_RETURN(const auto unfinished, log.unfinished());
    for (const LoggedOperation& left : unfinished) {
        const ContainerVerb* verb = find_container_verb(left.verb);
        if (left.boot_id == parts.boot_id || verb == nullptr ||
            verb->earlier_boot == BootEnding::as_any || !check_logged(left)) {
            continue; // recovery tells of those that nobody knows
        }
        RETURN_IF_ERROR(with_context(write_ending(parts, left, verb->earlier_boot),
                                     "end " + left.verb + " '" + left.resource + "'"));
        RETURN_IF_ERROR(log.end(left.id)); // last: it may be done again
        parts.events.publish({.kind = "daemon",
                              .resource = left.resource,
                              .what = "completed",
                              .detail = left.verb + ", of an earlier boot"});
    }
    return {};
}

} // namespace lodge::daemon
