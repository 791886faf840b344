#include "daemon/recovery/recovery.hpp"

namespace lodge::daemon {

Recovery decide(const Sighting& seen) {
    if (!seen.has_row) {
        return seen.has_monitor || seen.has_group || seen.has_directory ? Recovery::sweep
                                                                        : Recovery::nothing;
    }
    if (!seen.published) {
        return Recovery::remove_row;
    }
    const bool should_run =
        seen.state == model::State::running || seen.state == model::State::frozen;
    if (should_run && !seen.this_boot) {
        return Recovery::mark_stopped;
    }
    if (should_run && (!seen.has_monitor || seen.init_ended)) {
        return Recovery::stop;
    }
    if (should_run) {
        const bool frozen = seen.state == model::State::frozen;
        return frozen == seen.group_frozen ? Recovery::take_up : Recovery::take_up_as_recorded;
    }
    return seen.has_monitor || seen.has_group ? Recovery::stop : Recovery::nothing;
}

} // namespace lodge::daemon
