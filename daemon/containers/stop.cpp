#include "daemon/containers/end_processes.hpp"
#include "daemon/containers/halt.hpp"
#include "daemon/containers/kept_console.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/records/files.hpp"
#include "daemon/records/places.hpp"
#include "lib/base/clock.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr auto kExitDeadline = std::chrono::seconds(10);

struct Stopping {
    model::Container container;
    StopOrder order;
    bool out_of_memory = false;
    std::optional<InitExit> exit;        ///< none: nobody can tell any more
    MonitorRegistry::MonitorPtr monitor; ///< that told it
};
using StoppingPtr = std::shared_ptr<Stopping>;

std::string describe(const Stopping& stopping) {
    if (!stopping.exit) {
        return "the monitor was killed"; // or died: nobody is left to tell how init ended
    }
    const std::string status = std::to_string(stopping.exit->status);
    switch (stopping.exit->kind) {
    case InitExit::Kind::halted:
        return "halt";
    case InitExit::Kind::rebooted:
        return "reboot";
    case InitExit::Kind::exited:
        return "exit " + status;
    case InitExit::Kind::signalled:
        break;
    }
    return "signal " + status + (stopping.out_of_memory ? ", out of memory" : "");
}

// Whether init ended otherwise than by a halt or with exit code 0.
bool has_failed(const std::optional<InitExit>& exit) {
    return !exit || exit->kind == InitExit::Kind::signalled ||
           (exit->kind == InitExit::Kind::exited && exit->status != 0);
}

// The start time of a process is on CLOCK_BOOTTIME (man 5 proc, field 22 of /proc/PID/stat).
bool ran_soundly(const model::Container& container) {
    const auto ticks = static_cast<std::int64_t>(container.init_start_time.value_or(0));
    const std::int64_t started = ticks * 1000 / ::sysconf(_SC_CLK_TCK);
    return boottime_ms() - started >= std::chrono::milliseconds(model::kSoundRun).count();
}

// Plans the start after a reboot inside, whatever the restart policy: init asked for it. Without a
// pause the start follows in the same operation, which clears `start_at`.
std::string plan_reboot(model::Container& container) {
    const std::chrono::milliseconds delay = model::reboot_delay(container.restarts);
    container.start_at = boottime_ms() + delay.count();
    ++container.restarts;
    return delay.count() > 0 ? "restarting" : "";
}

// Plans the next start of the stopped container, if any. Returns the event for it.
std::string plan_next_start(model::Container& container, const Stopping& stopping) {
    // A broken container was killed on request, whenever its processes die.
    const bool asked = !stopping.order.unasked || stopping.container.state == model::State::broken;
    container.start_at.reset();
    container.resume = stopping.order.with_host;
    if (asked || ran_soundly(stopping.container)) {
        container.restarts = 0;
    }
    if (!asked && stopping.exit && stopping.exit->kind == InitExit::Kind::rebooted) {
        return plan_reboot(container);
    }
    if (asked || container.spec.restart.when == model::RestartWhen::no) {
        return {};
    }
    const bool failed = has_failed(stopping.exit);
    const auto delay = model::restart_delay(container.spec.restart, failed, container.restarts);
    if (!delay) {
        container.restarts = 0;
        return failed ? "gave up" : "";
    }
    container.start_at = boottime_ms() + std::chrono::milliseconds(*delay).count();
    ++container.restarts;
    return "restarting";
}

Status ask_to_halt(const Parts& parts, const Stopping& stopping) {
    const auto monitor = parts.monitors.find(stopping.container.uuid);
    if (!stopping.order.halt_timeout || !monitor) {
        return {};
    }
    if (stopping.container.state == model::State::frozen) {
        // A held process gets no signal but SIGKILL.
        RETURN_IF_ERROR(parts.groups.freeze(Parts::group_of(stopping.container), false));
    }
    const Deadline deadline = std::min(stopping.order.deadline.value_or(Deadline::never()),
                                       Deadline::after(*stopping.order.halt_timeout));
    return halt(parts, stopping.container, *monitor, deadline);
}

// The container neither runs nor can be started. `info` has the reason until a stop succeeds.
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

// Whether the kernel killed init for want of memory: nobody known killed it, and the kernel had to
// kill in that group. The kernel counts all its kills there, so after one earlier kill an
// operator's own kill would look like the kernel's.
bool ran_out_of_memory(const Parts& parts, const Monitor& monitor, const Stopping& stopping) {
    return stopping.order.unasked && stopping.exit &&
           stopping.exit->kind == InitExit::Kind::signalled && stopping.exit->status == SIGKILL &&
           !parts.monitors.was_killed(monitor) &&
           parts.groups.out_of_memory(Parts::group_of(stopping.container)).value_or(false);
}

// Reads how init ended. The monitor keeps that until the row has it.
Status collect(const Parts& parts, Stopping& stopping) {
    auto monitor = parts.monitors.find(stopping.container.uuid);
    if (!monitor) {
        ASSIGN_OR_RETURN(auto found, if_watched(parts.runtime.connect(stopping.container.uuid)));
        monitor = std::move(found).value_or(nullptr);
    }
    stopping.exit.reset();
    const Deadline deadline = Deadline::after(kExitDeadline);
    while (monitor) {
        ASSIGN_OR_RETURN(const auto status, if_watched(monitor->status()));
        if (!status) {
            break;
        }
        if (status->exit) {
            stopping.exit = status->exit;
            stopping.monitor = monitor;
            stopping.out_of_memory = ran_out_of_memory(parts, *monitor, stopping);
            break;
        }
        if (!wait_for_news(*monitor, deadline)) {
            break;
        }
    }
    return {};
}

// Run again at recovery or before a destroy, it must not overwrite the known exit.
Status record(const Parts& parts, const Stopping& stopping) {
    model::Container container = stopping.container;
    const bool asked = !stopping.order.unasked && !stopping.order.with_host;
    const bool comes_back = container.start_at || container.resume;
    if (container.state == model::State::stopped && !(asked && comes_back)) {
        note_up(parts, container);
        return {};
    }
    if (container.state == model::State::stopped) { // and is not to come back
        container.start_at.reset();
        container.resume = false;
        RETURN_IF_ERROR(parts.containers.update_state(container, parts.boot_id));
        note_up(parts, container);
        return {};
    }
    const std::string next = plan_next_start(container, stopping);
    container.state = model::State::stopped;
    if (container.init_pid) {
        container.last_exit = describe(stopping);
    }
    container.init_pid.reset();
    container.init_start_time.reset();
    container.broken_why.clear();
    container.last_error = stopping.order.unasked && has_failed(stopping.exit)
                               ? "init ended by itself: " + container.last_exit
                               : "";
    RETURN_IF_ERROR(parts.containers.update_state(container, parts.boot_id));
    note_up(parts, container);
    parts.announce(container, "stopped", container.last_exit);
    if (!next.empty()) {
        parts.announce(container, next, container.last_exit);
    }
    return {};
}

// The last moment to ask the monitor for its console. A failure must not keep the other objects.
void keep_console(const Parts& parts, Stopping& stopping) {
    const MonitorRegistry::MonitorPtr monitor = std::exchange(stopping.monitor, nullptr);
    if (!monitor) {
        return;
    }
    const auto log = monitor->console_log();
    const Status kept = log ? daemon::keep_console(parts.settings.run_directory,
                                                   stopping.container.uuid,
                                                   {.log = *log,
                                                    .started_at = stopping.container.started_at,
                                                    .ended = describe(stopping)})
                            : std::unexpected<Error>(log.error());
    if (!kept) {
        parts.warn("keep the console of '" + stopping.container.spec.name +
                   "': " + kept.error().to_string() + ", ignoring");
    }
}

Status release(const Parts& parts, Stopping& stopping) {
    const Uuid& container = stopping.container.uuid;
    keep_console(parts, stopping);
    if (const auto monitor = parts.monitors.find(container)) {
        (void)monitor->release(); // discard() ends it if it does not go by itself
    }
    parts.monitors.remove(container);
    return parts.runtime.discard(container);
}

} // namespace

bool reboots_at_once(const model::Container& container) {
    return ran_soundly(container) || model::reboot_delay(container.restarts).count() == 0;
}

Plan stop_plan(const Parts& parts, const model::Container& container, const StopOrder& order) {
    const auto stopping = std::make_shared<Stopping>(Stopping{
        .container = container, .order = order, .out_of_memory = false, .exit = {}, .monitor = {}});
    Plan plan;
    plan.steps.push_back(
        {kHaltStep, [&parts, stopping] { return ask_to_halt(parts, *stopping); }, {}});
    plan.steps.push_back({"kill", [&parts, container] { return kill(parts, container); }, {}});
    plan.steps.push_back({"collect", [&parts, stopping] { return collect(parts, *stopping); }, {}});
    plan.steps.push_back({"stopped", [&parts, stopping] { return record(parts, *stopping); }, {}});
    plan.answer = plan.steps.size();
    // Behind the answer: the slow removals. The next verb or the next daemon removes what fails
    // here. Recovery's sweep() has the same order. The console is read before its monitor ends. The
    // group goes once its processes are dead. The firewall does not check an expelled card, so no
    // process may be alive at `expel`. The volume comes last: the mounts of the dead processes held
    // it.
    plan.steps.push_back({"release", [&parts, stopping] { return release(parts, *stopping); }, {}});
    plan.steps.push_back(
        {"remove group",
         [&parts, container] { return parts.groups.remove(Parts::group_of(container)); },
         {}});
    for (const model::Card& card : container.cards) {
        const std::string name = model::card_name(card.uuid);
        plan.steps.push_back(
            {"expel", [&parts, name] { return parts.firewall.expel(name); }, {}, card.name()});
        plan.steps.push_back(
            {"detach", [&parts, name] { return parts.links.detach(name); }, {}, card.name()});
    }
    for (const model::Disk& disk : container.disks) {
        plan.steps.push_back({"close volume",
                              [&parts, container, volume = parts.volume_of(container, disk)] {
                                  return parts.driver_of(container).close(volume);
                              },
                              {},
                              disk.name()});
    }
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
    head.failed = tail.failed;
    head.warnings.insert(head.warnings.end(), tail.warnings.begin(), tail.warnings.end());
    head.on_recovery = OnRecovery::rerun;
    return head;
}

Plan restart_plan(const Parts& parts, const model::Container& container, const StopOrder& order) {
    return followed_by(stop_plan(parts, container, order), start_plan(parts, container));
}

Plan destroy_plan(const Parts& parts, const model::Container& container) {
    // Of a stopped container too: an earlier stop may have left objects.
    Plan plan = stop_plan(parts, container, {});
    // Before the volume: the record has the wrapped key, and a half-erased container must not be
    // found again.
    plan.steps.push_back(
        {"erase record", [&parts, container] { return erase_record(parts, container.uuid); }, {}});
    for (const model::Disk& disk : container.disks) {
        plan.steps.push_back({"erase",
                              [&parts, container, volume = parts.volume_of(container, disk)] {
                                  return parts.driver_of(container).destroy(volume);
                              },
                              {},
                              disk.name()});
    }
    plan.steps.push_back({"directory",
                          [&parts, container] { return remove_places(parts.settings, container); },
                          {}});
    plan.steps.push_back({"forget",
                          [&parts, container]() -> Status {
                              RETURN_IF_ERROR(
                                  forget_console(parts.settings.run_directory, container.uuid));
                              RETURN_IF_ERROR(parts.containers.remove(container.uuid));
                              parts.announce(container, "destroyed");
                              return {};
                          },
                          {}});
    plan.answer = plan.steps.size();
    return plan;
}

} // namespace lodge::daemon
