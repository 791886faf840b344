#include "daemon/containers/container_service.hpp"

#include "daemon/containers/host_keys.hpp"
#include "daemon/containers/kept_console.hpp"
#include "daemon/containers/limits.hpp"
#include "daemon/containers/logged_verb.hpp"
#include "daemon/containers/readiness.hpp"
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

StopOrder order_of(const StopRequest& request, const Settings& settings) {
    StopOrder order;
    if (!request.force) {
        order.halt_timeout = request.timeout.value_or(settings.stop_timeout);
    }
    return order;
}

// Of a container whose template is gone.
constexpr const char* kReadyWithout = "running";

// Of a process that began so many ticks after the host was booted (proc(5), stat, field 22).
std::uint64_t uptime_of(std::uint64_t start_ticks) {
    static const auto kTicks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    const auto now = static_cast<std::uint64_t>(boottime_ms()) / 1000;
    return now - std::min(now, start_ticks / kTicks);
}

// A monitor that went between the look and the call.
template <typename T>
Result<T> unless_gone(const std::string& name, Result<T> result) {
    if (!result && result.error().code() == ErrorCode::not_found) {
        return fail(ErrorCode::invalid_state, "'" + name + "' is being stopped");
    }
    return result;
}

} // namespace

// The row is looked at again with the name held: what ran before us may have changed it.
Result<Uuid> Containers::submit(const ContainerVerb& verb, VerbInput input, const Judge& judge) {
    const Uuid uuid = input.container.uuid;
    return engine_.submit(
        {.verb = std::string(verb.word),
         .resource = input.container.spec.name,
         .arguments = to_arguments({.container = uuid, .halt_timeout = input.order.halt_timeout}),
         .prepare = [this, &verb, &input, &judge, uuid]() -> Result<Plan> {
             ASSIGN_OR_RETURN(input.container, parts_.containers.find(uuid));
             const model::Container& now = input.container;
             RETURN_IF_ERROR(judge ? judge(now)
                                   : model::allowed(*verb.judged_as, now.state, now.spec.name));
             RETURN_IF_ERROR(is_welcome(verb));
             return verb.plan(input);
         }});
}

// Asked with the name held: whoever refuses them from then on finds those that were let in among
// the operations.
Status Containers::is_welcome(const ContainerVerb& verb) const {
    return verb.starts && refuses_starts_
               ? fail(ErrorCode::invalid_state, "the host is being shut down")
               : Status{};
}

Result<Uuid> Containers::start(const Caller&, const std::string& name) {
    ASSIGN_OR_RETURN(VerbInput input, input_of(name));
    return submit(verbs::kStart, std::move(input));
}

Result<Uuid> Containers::stop(const Caller&, const std::string& name, const StopRequest& request) {
    ASSIGN_OR_RETURN(VerbInput input, input_of(name));
    input.order = order_of(request, parts_.settings);
    const auto judge = [&](const model::Container& now) {
        return now.start_at || now.resume // it is told not to come back
                   ? Status{}
                   : model::allowed(model::Verb::stop, now.state, name);
    };
    auto submitted = submit(verbs::kStop, std::move(input), judge);
    if (!submitted && request.force && submitted.error().code() == ErrorCode::busy) {
        return fail(ErrorCode::busy,
                    submitted.error().message() + "; `lodge kill " + name +
                        "` ends what it waits for");
    }
    return submitted;
}

Result<Uuid> Containers::stop_with_host(const model::Container& container,
                                        const Deadline& deadline) {
    return submit(verbs::kStopWithHost,
                  {.parts = parts_,
                   .container = container,
                   .order = {.with_host = true,
                             .halt_timeout = parts_.settings.stop_timeout,
                             .deadline = deadline}});
}

Result<Uuid>
Containers::restart(const Caller&, const std::string& name, const StopRequest& request) {
    ASSIGN_OR_RETURN(VerbInput input, input_of(name));
    input.order = order_of(request, parts_.settings);
    return submit(verbs::kRestart, std::move(input));
}

Result<Uuid> Containers::set_frozen(const Caller&, const std::string& name, bool frozen) {
    ASSIGN_OR_RETURN(VerbInput input, input_of(name));
    return submit(frozen ? verbs::kFreeze : verbs::kThaw, std::move(input));
}

Result<Uuid>
Containers::set(const Caller&, const std::string& name, const model::SpecChange& change) {
    ASSIGN_OR_RETURN(VerbInput input, input_of(name));
    // A bad value is told before the host's.
    RETURN_IF_ERROR(model::apply(input.container.spec, change));
    RETURN_IF_ERROR(check_limits(model::limits_asked(change)));
    input.change = change;
    return submit(verbs::kSet, std::move(input));
}

Result<Uuid> Containers::destroy(const Caller&, const std::string& name, bool force) {
    ASSIGN_OR_RETURN(VerbInput input, input_of(name));
    const auto anyway = [](const model::Container&) { return Status{}; };
    return submit(verbs::kDestroy, std::move(input), force ? Judge(anyway) : Judge());
}

Result<VerbInput> Containers::input_of(const std::string& name) {
    ASSIGN_OR_RETURN(auto container, parts_.containers.find(name));
    return VerbInput{.parts = parts_, .container = std::move(container)};
}

Result<std::shared_ptr<Monitor>> Containers::living_monitor(const std::string& name,
                                                            model::Verb verb) {
    ASSIGN_OR_RETURN(const auto container, parts_.containers.find(name));
    RETURN_IF_ERROR(model::allowed(verb, container.state, name));
    auto monitor = parts_.monitors.find(container.uuid);
    if (!monitor) {
        return fail(ErrorCode::invalid_state, "'" + name + "' is being stopped");
    }
    return monitor;
}

Status Containers::kill(const Caller&, const std::string& name, int signal_number) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(name, model::Verb::kill));
    if (signal_number == SIGKILL) {
        parts_.monitors.note_kill(*monitor);
    }
    return unless_gone(name, monitor->signal_init(signal_number));
}

ContainerUse Containers::use_of(const model::Container& container) const {
    const cgroup::Use use = parts_.groups.use(Parts::group_of(container));
    ContainerUse told{.memory_bytes = use.memory_bytes, .processes = use.processes};
    if (use.cpu_microseconds) {
        told.cpu_ms = *use.cpu_microseconds / 1000;
    }
    return told;
}

ContainerView
Containers::view_of(model::Container container, std::string template_ready, bool with_use) {
    ContainerView view{.image_path = parts_.volume_of(container).image_path()};
    view.busy_with = engine_.busy_with(container.spec.name);
    view.template_ready = std::move(template_ready);
    for (UnenforcedLimit& limit : unenforced_limits(parts_, container.spec.resources)) {
        view.limits_not_enforced.push_back(std::move(limit.controller));
    }
    if (container.init_start_time) {
        view.uptime_seconds = uptime_of(*container.init_start_time);
    }
    if (with_use && container.init_pid) {
        view.use = use_of(container);
    }
    view.container = std::move(container);
    return view;
}

Result<std::vector<ContainerView>> Containers::list(bool with_use) {
    ASSIGN_OR_RETURN(auto containers, parts_.containers.list());
    ASSIGN_OR_RETURN(const auto templates, parts_.templates.list());
    std::map<std::string_view, std::string_view> ready;
    for (const templates::Template& one : templates) {
        ready[one.name] = one.ready;
    }
    std::vector<ContainerView> views;
    views.reserve(containers.size());
    for (model::Container& container : containers) {
        const auto made_of = ready.find(container.spec.template_name);
        views.push_back(
            view_of(std::move(container),
                    std::string(made_of == ready.end() ? kReadyWithout : made_of->second),
                    with_use));
    }
    return views;
}

Result<ContainerView> Containers::info(const std::string& name) {
    ASSIGN_OR_RETURN(auto container, parts_.containers.find(name));
    auto made_of = parts_.templates.find(container.spec.template_name);
    if (!made_of && made_of.error().code() != ErrorCode::not_found) {
        return std::unexpected<Error>(std::move(made_of).error());
    }
    return view_of(std::move(container), made_of ? made_of->ready : kReadyWithout, true);
}

// Knocks until it is answered (true) or something has happened to the container.
Result<bool>
Containers::knock(const ContainerView& view, EventSubscription& news, const Deadline& deadline) {
    constexpr auto kKnock = std::chrono::milliseconds(25);
    const std::string& name = view.container.spec.name;
    SshKnock knock(view.container.addresses.front().address);
    while (!deadline.expired()) {
        if (knock.answered_within(
                std::min(kKnock, std::chrono::ceil<std::chrono::milliseconds>(deadline.left())))) {
            return true;
        }
        while (const auto event = news.next(Deadline::after(Deadline::Clock::duration::zero()))) {
            if (event->resource == name) {
                return false;
            }
        }
        if (news.ended()) {
            return fail(ErrorCode::unreachable, "lodged ends");
        }
    }
    return fail(ErrorCode::timeout,
                "no SSH server answered at " +
                    view.container.addresses.front().address.to_string() + " in time");
}

Status
Containers::wait(const std::string& name, const std::string& what, const Deadline& deadline) {
    if (what != "running" && what != "stopped" && what != "ready") {
        return fail(ErrorCode::invalid_argument,
                    "'" + what + "' cannot be waited for; known are running, stopped, ready");
    }
    // Before the look: no event falls between.
    const auto subscription = parts_.events.subscribe_to(name);
    while (true) {
        ASSIGN_OR_RETURN(const ContainerView view, info(name));
        const model::Container& container = view.container;
        const bool running = container.state == model::State::running;
        if (running && what == "ready" && view.template_ready == "ssh" &&
            !container.addresses.empty()) {
            ASSIGN_OR_RETURN(const bool ready, knock(view, *subscription, deadline));
            if (ready) {
                return {};
            }
            continue; // something has happened: to it, perhaps
        }
        if ((what == "stopped") == (container.state == model::State::stopped) &&
            (running || what == "stopped")) {
            return {};
        }
        if (what == "ready" && container.state == model::State::frozen && view.busy_with.empty()) {
            return fail(ErrorCode::invalid_state, "'" + name + "' is frozen; thaw it first");
        }
        if (what == "ready" && !running && view.busy_with.empty() && !container.start_at) {
            return fail(ErrorCode::invalid_state,
                        "'" + name + "' is not running and nothing is starting it" +
                            (container.last_exit.empty()
                                 ? ""
                                 : "; its init ended last with: " + container.last_exit));
        }
        const bool told = subscription->next(deadline).has_value();
        if (!told && subscription->ended()) {
            return fail(ErrorCode::unreachable, "lodged ends");
        }
        if (!told && deadline.expired()) {
            return fail(ErrorCode::timeout, "'" + name + "' did not become " + what + " in time");
        }
    }
}

Status Containers::exec(const std::string& name,
                        const ExecRequest& request,
                        const TakeClient& take_client) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(name, model::Verb::exec));
    return unless_gone(name, monitor->exec(request, take_client));
}

Status Containers::console(const std::string& name, const TakeClient& take_client) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(name, model::Verb::console));
    return unless_gone(name, monitor->console(take_client));
}

// In whatever state it is: what init said before it ended is wanted most when it has.
Result<std::string> Containers::console_log(const std::string& name) {
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

Result<std::string> Containers::ssh_host_keys(const std::string& name) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(name, model::Verb::exec));
    ASSIGN_OR_RETURN(std::string keys, unless_gone(name, read_host_keys(*monitor)));
    if (keys.empty()) {
        return fail(ErrorCode::not_found,
                    "'" + name + "' has no SSH host keys (yet); wait for it with `lodge wait " +
                        name + "`");
    }
    return keys;
}

void Containers::look_again(const Uuid& uuid) {
    const auto monitor = parts_.monitors.find(uuid);
    if (!monitor) {
        return; // collected
    }
    const auto status = monitor->status();
    if (status ? status->exit.has_value() : is_unwatched(status.error())) {
        exited(uuid, *monitor, status ? status->exit : std::nullopt);
    }
}

void Containers::exited(const Uuid& uuid,
                        const Monitor& monitor,
                        const std::optional<InitExit>& exit) {
    const auto container = parts_.containers.find(uuid);
    if (!container || !container->init_pid) {
        return; // collected already, or not to be known now: the watcher tells again
    }
    const std::string& name = container->spec.name;
    // One that does nothing but boot is started again after a pause, as its row says then.
    const bool reboot =
        exit && exit->kind == InitExit::Kind::rebooted && reboots_at_once(*container);
    const bool crashed =
        !exit || exit->kind == InitExit::Kind::exited || exit->kind == InitExit::Kind::signalled;
    const auto judge = [&](const model::Container& now) -> Status {
        return now.init_pid && parts_.monitors.find(uuid).get() == &monitor
                   ? Status{}
                   : fail(ErrorCode::invalid_state, "'" + name + "' was collected already");
    };
    // One that reboots while the host goes down is stopped with the others.
    const auto submitted =
        submit(reboot ? verbs::kRestart : verbs::kCollect,
               {.parts = parts_, .container = *container, .order = {.unasked = true}},
               judge);
    if (!submitted) {
        if (submitted.error().code() == ErrorCode::busy) {
            // A stop, restart or destroy sees the same exit; a freeze or a thaw does not.
            engine_.when_free(name, [this, uuid] { look_again(uuid); });
        }
        return;
    }
    if (crashed) {
        parts_.announce(
            *container, "crashed", exit ? "init ended by itself" : "the monitor was killed");
    }
}

} // namespace lodge::daemon
