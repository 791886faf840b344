#include "daemon/containers/end_processes.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/records/files.hpp"
#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <utility>

#include <poll.h>
#include <sys/stat.h>

namespace lodge::daemon {

namespace {

constexpr auto kExitDeadline = std::chrono::seconds(10);

struct Stopping {
    model::Container container;
    StopOrder order;
    std::string exit;
};
using StoppingPtr = std::shared_ptr<Stopping>;

// "SIGRTMIN+3", "SIGPWR": what templates say.
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

std::string describe(const InitExit& exit) {
    switch (exit.kind) {
    case InitExit::Kind::halted:
        return "halt";
    case InitExit::Kind::rebooted:
        return "reboot";
    case InitExit::Kind::exited:
        return "exit " + std::to_string(exit.status);
    case InitExit::Kind::signalled:
        break;
    }
    return "signal " + std::to_string(exit.status);
}

bool wait_for_news(const Monitor& monitor, const Deadline& deadline) {
    pollfd wait{.fd = monitor.event_fd(), .events = POLLIN, .revents = 0};
    while (true) {
        const int ready = ::poll(&wait, 1, deadline.poll_timeout());
        if (ready != -1 || errno != EINTR) {
            return ready > 0;
        }
    }
}

// What the template says, even if the database cannot be read: another signal may mean anything.
Result<int> halt_signal(const Parts& parts, const model::Container& container) {
    const auto made_of = parts.templates.find(container.spec.template_name);
    if (!made_of && made_of.error().code() != ErrorCode::not_found) {
        return std::unexpected<Error>(made_of.error());
    }
    return signal_number(made_of ? made_of->halt_signal : "SIGTERM");
}

// Asks init to halt and waits; whether it obeyed shows later.
Status halt(const Parts& parts, const Stopping& stopping) {
    const auto monitor = parts.monitors.find(stopping.container.uuid);
    if (stopping.order.force || !monitor) {
        return {};
    }
    if (stopping.container.state == model::State::frozen) {
        // What is held hears of nothing but SIGKILL.
        RETURN_IF_ERROR(parts.groups.freeze(Parts::group_of(stopping.container), false));
    }
    ASSIGN_OR_RETURN(const int number, halt_signal(parts, stopping.container));
    if (const Status sent = monitor->signal_init(number); !sent) {
        return {}; // it is gone already, or its monitor is: the next steps find out
    }
    const Deadline deadline = Deadline::after(stopping.order.timeout);
    while (!deadline.expired() && wait_for_news(*monitor, deadline)) {
        const auto status = monitor->status();
        if (!status || status->exit) {
            return {};
        }
    }
    return {};
}

// It neither runs nor can be started: whoever asks is told why, until a stop comes through.
void mark_broken(const Parts& parts, const Uuid& uuid, const std::string& why) {
    auto container = parts.containers.find(uuid);
    Status marked = container ? Status{} : std::unexpected<Error>(container.error());
    if (container) {
        container->state = model::State::broken;
        container->broken_why = why;
        marked = parts.containers.update_state(*container, parts.boot_id);
    }
    if (!marked) {
        parts.warn("mark a container as broken: " + marked.error().to_string() + ", ignoring");
        return;
    }
    parts.announce(*container, "broken", why);
}

Status kill(const Parts& parts, const model::Container& container) {
    Status ended = end_processes(parts, container);
    if (!ended && ended.error().code() == ErrorCode::timeout) {
        mark_broken(parts, container.uuid, ended.error().message());
    }
    return ended;
}

// How init ended. The monitor keeps it until the row has it.
Status collect(const Parts& parts, Stopping& stopping) {
    auto monitor = parts.monitors.find(stopping.container.uuid);
    if (!monitor) {
        if (auto found = parts.launcher.connect(stopping.container.uuid)) {
            monitor = std::move(*found);
        }
    }
    stopping.exit = "unknown: its monitor was gone";
    const Deadline deadline = Deadline::after(kExitDeadline);
    while (monitor) {
        const auto status = monitor->status();
        if (!status) {
            break;
        }
        if (const auto& exit = status->exit) {
            stopping.exit = describe(*exit);
            if (stopping.order.out_of_memory) {
                stopping.exit += ", out of memory";
            }
            break;
        }
        if (!wait_for_news(*monitor, deadline)) {
            break;
        }
    }
    return {};
}

// Run again at recovery, or before a destroy, it must not write over the exit that is known.
Status record(const Parts& parts, const Stopping& stopping) {
    model::Container container = stopping.container;
    if (container.state == model::State::stopped) {
        return {};
    }
    container.state = model::State::stopped;
    if (container.init_pid) {
        container.last_exit = stopping.exit;
    }
    container.init_pid.reset();
    container.init_start_time.reset();
    container.broken_why.clear();
    RETURN_IF_ERROR(parts.containers.update_state(container, parts.boot_id));
    parts.announce(container, "stopped", stopping.exit);
    return {};
}

Status release(const Parts& parts, const Uuid& container) {
    if (const auto monitor = parts.monitors.find(container)) {
        (void)monitor->release(); // discard() ends it if it does not go by itself
    }
    parts.monitors.remove(container);
    return parts.launcher.discard(container);
}

} // namespace

Plan stop_plan(const Parts& parts, const model::Container& container, const StopOrder& order) {
    const auto stopping = std::make_shared<Stopping>(Stopping{container, order, {}});
    const network::Nic nic = parts.nic_of(container);
    Plan plan;
    plan.steps.push_back({"halt", [&parts, stopping] { return halt(parts, *stopping); }, {}});
    plan.steps.push_back({"kill", [&parts, container] { return kill(parts, container); }, {}});
    plan.steps.push_back({"collect", [&parts, stopping] { return collect(parts, *stopping); }, {}});
    plan.steps.push_back({"stopped", [&parts, stopping] { return record(parts, *stopping); }, {}});
    plan.answer = plan.steps.size();
    // Behind the answer: what the kernel takes its time for. What cannot be removed now is so by
    // the next verb, or by the next daemon.
    plan.steps.push_back(
        {"release", [&parts, container] { return release(parts, container.uuid); }, {}});
    plan.steps.push_back(
        {"remove group",
         [&parts, container] { return parts.groups.remove(Parts::group_of(container)); },
         {}});
    plan.steps.push_back(
        {"expel", [&parts, nic] { return parts.firewall.expel(nic.host_name()); }, {}});
    plan.steps.push_back(
        {"detach", [&parts, nic] { return parts.links.detach(nic.host_name()); }, {}});
    plan.steps.push_back({"close volume",
                          [&parts, container] {
                              return parts.driver_of(container).close(parts.volume_of(container));
                          },
                          {}});
    plan.commit = 0;
    plan.on_recovery = OnRecovery::rerun;
    return plan;
}

Plan followed_by(Plan head, Plan tail) {
    const std::size_t before = head.steps.size();
    for (Step& step : tail.steps) {
        head.steps.push_back(std::move(step));
    }
    head.commit = before + tail.commit;
    head.answer = before + tail.answer;
    head.committed = tail.committed;
    head.on_recovery = OnRecovery::rerun;
    return head;
}

Plan restart_plan(const Parts& parts, const model::Container& container, const StopOrder& order) {
    return followed_by(stop_plan(parts, container, order), start_plan(parts, container));
}

Plan destroy_plan(const Parts& parts, const model::Container& container) {
    // Of a stopped one too: a stop may have left what it could not remove.
    Plan plan = stop_plan(parts, container, {.force = true});
    // First of all: it has the wrapped key, and what is half erased must not be found again.
    plan.steps.push_back(
        {"erase record", [&parts, container] { return erase_record(parts, container.uuid); }, {}});
    plan.steps.push_back({"erase",
                          [&parts, container] {
                              return parts.driver_of(container).destroy(parts.volume_of(container));
                          },
                          {}});
    plan.steps.push_back(
        {"directory",
         [&parts, container]() -> Status {
             const auto parent = kernel::open_directory(parts.settings.containers_directory());
             return parent ? kernel::remove_tree_at(parent->get(), container.uuid.to_string())
                           : Status{};
         },
         {}});
    plan.steps.push_back({"forget",
                          [&parts, container]() -> Status {
                              RETURN_IF_ERROR(parts.containers.remove(container.uuid));
                              parts.announce(container, "destroyed");
                              return {};
                          },
                          {}});
    plan.answer = plan.steps.size();
    return plan;
}

} // namespace lodge::daemon
