#include "daemon/containers/halt.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>

#include <poll.h>

namespace lodge::daemon {

namespace {

constexpr auto kDeafLook = std::chrono::milliseconds(50);

// The template's signal. A failure to read the database is an error, because another signal may
// mean anything.
Result<std::string> halt_signal(const Parts& parts, const model::Container& container) {
    const auto made_of = parts.templates.find(container.spec.template_name);
    if (!made_of && made_of.error().code() != ErrorCode::not_found) {
        return std::unexpected<Error>(made_of.error());
    }
    return made_of ? made_of->halt_signal : std::string("SIGTERM");
}

// Whether init or its monitor has ended.
Result<bool> has_ended(Monitor& monitor) {
    ASSIGN_OR_RETURN(const auto status, if_watched(monitor.status()));
    return !status || status->exit;
}

} // namespace

bool wait_for_news(const Monitor& monitor, const Deadline& deadline, int end_fd) {
    std::array<pollfd, 2> waits{{{monitor.event_fd(), POLLIN, 0}, {end_fd, POLLIN, 0}}};
    while (true) {
        const int ready = ::poll(waits.data(), waits.size(), deadline.poll_timeout());
        if (ready != -1 || errno != EINTR) {
            return ready > 0;
        }
    }
}

Status halt(const Parts& parts,
            const model::Container& container,
            Monitor& monitor,
            const Deadline& deadline) {
    ASSIGN_OR_RETURN(const std::string signal, halt_signal(parts, container));
    const HaltRequest request{.signal = signal,
                              .init = {.pid = container.init_pid.value_or(0),
                                       .start_time = container.init_start_time.value_or(0)}};
    ASSIGN_OR_RETURN(Halting halting, monitor.ask_to_halt(request));
    while (halting != Halting::gone && !deadline.expired()) {
        const bool deaf = halting == Halting::deaf;
        if (wait_for_news(monitor,
                          deaf ? std::min(deadline, Deadline::after(kDeafLook)) : deadline,
                          parts.events.closed_fd())) {
            ASSIGN_OR_RETURN(const bool ended, has_ended(monitor));
            if (ended) {
                break;
            }
            if (parts.events.closed()) {
                return fail(ErrorCode::cancelled, "lodged ends while init is halting");
            }
        }
        if (deaf) {
            ASSIGN_OR_RETURN(halting, monitor.ask_to_halt(request));
        }
    }
    return {};
}

} // namespace lodge::daemon
