#include "daemon/containers/halt.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <utility>

#include <poll.h>

namespace lodge::daemon {

namespace {

constexpr auto kDeafLook = std::chrono::milliseconds(50);

// Parses the halt signal of a template: "SIGRTMIN+3", "SIGPWR".
int signal_number(const std::string& name) {
    constexpr std::string_view kRealTime = "SIGRTMIN+";
    if (name.rfind(kRealTime, 0) == 0) {
        int offset = 0;
        const auto end =
            std::from_chars(name.data() + kRealTime.size(), name.data() + name.size(), offset);
        return end.ec == std::errc{} ? SIGRTMIN + offset : SIGTERM;
    }
    for (const auto& [known, number] : {std::pair{"SIGPWR", SIGPWR},
                                        {"SIGINT", SIGINT},
                                        {"SIGTERM", SIGTERM},
                                        {"SIGUSR1", SIGUSR1},
                                        {"SIGUSR2", SIGUSR2},
                                        {"SIGQUIT", SIGQUIT}}) {
        if (name == known) {
            return number;
        }
    }
    return SIGTERM;
}

// The template's signal. A failure to read the database is an error, because another signal may
// mean anything.
Result<int> halt_signal(const Parts& parts, const model::Container& container) {
    const auto made_of = parts.templates.find(container.spec.template_name);
    if (!made_of && made_of.error().code() != ErrorCode::not_found) {
        return std::unexpected<Error>(made_of.error());
    }
    return signal_number(made_of ? made_of->halt_signal : "SIGTERM");
}

// Whether init or its monitor has ended.
Result<bool> has_ended(Monitor& monitor) {
    ASSIGN_OR_RETURN(const auto status, if_watched(monitor.status()));
    return !status || status->exit;
}

// Whether init is deaf: it was started only just now and neither catches nor blocks the signal,
// which would be lost. If that cannot be read, it is not deaf.
bool is_deaf(const model::Container& container, int signal_number) {
    const auto proc = kernel::open_directory("/proc");
    const pid_t init = container.init_pid.value_or(0);
    if (!proc || init == 0) {
        return false;
    }
    const auto heeds = kernel::heeds_signal(proc->get(), init, signal_number);
    const auto started = kernel::process_start_time(proc->get(), init);
    return heeds && !*heeds && started && *started == container.init_start_time;
}

// False: init or its monitor is gone already; the next steps find out.
Result<bool> ask(Monitor& monitor, int signal_number) {
    const Status sent = monitor.signal_init(signal_number);
    if (!sent && sent.error().code() != ErrorCode::invalid_state && !is_unwatched(sent.error())) {
        return std::unexpected<Error>(sent.error());
    }
    return sent.has_value();
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
    ASSIGN_OR_RETURN(const int number, halt_signal(parts, container));
    bool deaf = is_deaf(container, number);
    ASSIGN_OR_RETURN(bool sent, ask(monitor, number));
    while (sent && !deadline.expired()) {
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
        if (deaf && !is_deaf(container, number)) {
            deaf = false;
            ASSIGN_OR_RETURN(sent, ask(monitor, number));
        }
    }
    return {};
}

} // namespace lodge::daemon
