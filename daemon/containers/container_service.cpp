#include "daemon/containers/container_service.hpp"

#include "daemon/containers/living_monitor.hpp"
#include "daemon/containers/logged_verb.hpp"

#include <csignal>
#include <string>
#include <utility>

namespace lodge::daemon {

namespace {

StopOrder order_of(const StopRequest& request, const Settings& settings) {
    StopOrder order;
    if (!request.force) {
        order.halt_timeout = request.timeout.value_or(settings.stop_timeout);
    }
    return order;
}

Status check_unprotected(const model::Container& container) {
    const std::string& name = container.spec.name;
    return container.spec.protect == model::Protection::no
               ? Status{}
               : fail(ErrorCode::invalid_state,
                      "'" + name + "' is protected; `lodge set " + name +
                          " --protect no` lets it be destroyed");
}

} // namespace

// Reads the row again while the name is held: an operation before this one may have changed it.
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
    const auto judge = [force](const model::Container& now) -> Status {
        RETURN_IF_ERROR(check_unprotected(now));
        return force ? Status{} : model::allowed(model::Verb::destroy, now.state, now.spec.name);
    };
    return submit(verbs::kDestroy, std::move(input), judge);
}

Result<VerbInput> Containers::input_of(const std::string& name) {
    ASSIGN_OR_RETURN(auto container, parts_.containers.find(name));
    return VerbInput{.parts = parts_, .container = std::move(container)};
}

Status Containers::kill(const Caller&, const std::string& name, int signal_number) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(parts_, name, model::Verb::kill));
    if (signal_number == SIGKILL) {
        parts_.monitors.note_kill(*monitor);
    }
    return unless_gone(name, monitor->signal_init(signal_number));
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
