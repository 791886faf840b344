#include "daemon/recovery/earlier_boots.hpp"

#include "daemon/containers/logged_verb.hpp"
#include "daemon/recovery/unfinished.hpp"

#include <cstdint>
#include <map>
#include <string_view>

namespace lodge::daemon {

namespace {

enum class Ending : std::uint8_t {
    stays_down,
    comes_back, ///< it was up before, and is to be so again
    as_recorded,
};

// Of a collect too: its monitor alone knew how init ended, and what was not collected as the host
// went down counts as up.
const std::map<std::string_view, Ending>& endings() {
    static const std::map<std::string_view, Ending> all{{"stop", Ending::stays_down},
                                                        {"stop with host", Ending::comes_back},
                                                        {"restart", Ending::comes_back},
                                                        {"collect", Ending::as_recorded},
                                                        {"start", Ending::as_recorded},
                                                        {"freeze", Ending::as_recorded},
                                                        {"thaw", Ending::as_recorded}};
    return all;
}

Status write_ending(const Parts& parts, const LoggedOperation& left, Ending ending) {
    if (ending == Ending::as_recorded) {
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
    container->resume = ending == Ending::comes_back;
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
        const auto ending = endings().find(left.verb);
        if (left.boot_id == parts.boot_id || ending == endings().end() || !check_logged(left)) {
            continue; // recovery tells of those that nobody knows
        }
        RETURN_IF_ERROR(with_context(write_ending(parts, left, ending->second),
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
