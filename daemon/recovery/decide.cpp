#include "daemon/recovery/plan.hpp"

namespace lodge::daemon {

Recovery decide(const Sighting& seen) {
    const bool has_process =
        seen.monitor == MonitorSign::living || seen.monitor == MonitorSign::silent;
    const bool has_anything = seen.monitor != MonitorSign::none || seen.has_group;
    if (!seen.has_row) {
        return has_anything ? Recovery::sweep : Recovery::nothing;
    }
    if (!seen.published) {
        return Recovery::remove_row;
    }
    const bool should_run =
        seen.state == model::State::running || seen.state == model::State::frozen;
    if (!should_run) {
        return has_anything ? Recovery::stop : Recovery::nothing;
    }
    if (!seen.this_boot && !has_process) {
        return Recovery::mark_stopped;
    }
    if (!seen.this_boot || seen.monitor != MonitorSign::living || !seen.same_init) {
        return Recovery::stop;
    }
    const bool frozen = seen.state == model::State::frozen;
    return frozen == seen.group_frozen ? Recovery::take_up : Recovery::take_up_as_recorded;
}

} // namespace lodge::daemon
