#include "daemon/containers/container_service.hpp"

#include "daemon/containers/plans.hpp"
#include "daemon/containers/readiness.hpp"
#include "lib/kernel/fs.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::daemon {

Result<Uuid> Containers::start(const Caller&, const std::string& name) {
    ASSIGN_OR_RETURN(const auto container, parts_.containers.find(name));
    RETURN_IF_ERROR(model::allowed(model::Verb::start, container.state, name));
    return engine_.submit({.verb = "start",
                           .resource = name,
                           .arguments = container.uuid.to_string(),
                           .plan = start_plan(parts_, container)});
}

Result<Uuid> Containers::stop(const Caller&, const std::string& name, const StopRequest& request) {
    ASSIGN_OR_RETURN(const auto container, parts_.containers.find(name));
    RETURN_IF_ERROR(model::allowed(model::Verb::stop, container.state, name));
    const StopOrder order{.force = request.force, .timeout = request.timeout};
    return engine_.submit({.verb = "stop",
                           .resource = name,
                           .arguments = container.uuid.to_string(),
                           .plan = stop_plan(parts_, container, order)});
}

Result<Uuid>
Containers::restart(const Caller&, const std::string& name, const StopRequest& request) {
    ASSIGN_OR_RETURN(const auto container, parts_.containers.find(name));
    RETURN_IF_ERROR(model::allowed(model::Verb::restart, container.state, name));
    const StopOrder order{.force = request.force, .timeout = request.timeout};
    return engine_.submit({.verb = "restart",
                           .resource = name,
                           .arguments = container.uuid.to_string(),
                           .plan = restart_plan(parts_, container, order)});
}

Result<Uuid> Containers::destroy(const Caller&, const std::string& name, bool force) {
    ASSIGN_OR_RETURN(const auto container, parts_.containers.find(name));
    if (!force) {
        RETURN_IF_ERROR(model::allowed(model::Verb::destroy, container.state, name));
    }
    return engine_.submit({.verb = "destroy",
                           .resource = name,
                           .arguments = container.uuid.to_string(),
                           .plan = destroy_plan(parts_, container)});
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
    return monitor->signal_init(signal_number);
}

ContainerView Containers::view_of(model::Container container) {
    ContainerView view{.image_path = parts_.volume_of(container).image_path()};
    view.busy_with = engine_.busy_with(container.spec.name);
    const auto made_of = parts_.templates.find(container.spec.template_name);
    view.template_ready = made_of ? made_of->ready : "running";
    view.container = std::move(container);
    return view;
}

Result<std::vector<ContainerView>> Containers::list() {
    ASSIGN_OR_RETURN(auto containers, parts_.containers.list());
    std::vector<ContainerView> views;
    views.reserve(containers.size());
    for (model::Container& container : containers) {
        views.push_back(view_of(std::move(container)));
    }
    return views;
}

Result<ContainerView> Containers::info(const std::string& name) {
    ASSIGN_OR_RETURN(auto container, parts_.containers.find(name));
    return view_of(std::move(container));
}

Status
Containers::wait(const std::string& name, const std::string& what, const Deadline& deadline) {
    if (what != "running" && what != "stopped" && what != "ready") {
        return fail(ErrorCode::invalid_argument,
                    "'" + what + "' cannot be waited for; known are running, stopped, ready");
    }
    const auto subscription = parts_.events.subscribe(); // before the look: no event falls between
    while (true) {
        ASSIGN_OR_RETURN(const ContainerView view, info(name));
        const model::Container& container = view.container;
        const bool running = container.state == model::State::running;
        if (running && what == "ready" && view.template_ready == "ssh" &&
            !container.addresses.empty()) {
            return wait_for_ssh(container.addresses.front().address, deadline);
        }
        if ((what == "stopped") == (container.state == model::State::stopped) &&
            (running || what == "stopped")) {
            return {};
        }
        if (what == "ready" && !running && view.busy_with.empty()) {
            return fail(ErrorCode::invalid_state,
                        "'" + name + "' is not running and nothing is starting it");
        }
        if (!subscription->next(deadline) && deadline.expired()) {
            return fail(ErrorCode::timeout, "'" + name + "' did not become " + what + " in time");
        }
    }
}

Status Containers::exec(const std::string& name,
                        const ExecRequest& request,
                        const TakeClient& take_client) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(name, model::Verb::exec));
    ASSIGN_OR_RETURN(UniqueFd client, take_client());
    return monitor->exec(request, std::move(client));
}

Status Containers::console(const std::string& name, const TakeClient& take_client) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(name, model::Verb::console));
    ASSIGN_OR_RETURN(UniqueFd client, take_client());
    return monitor->console(std::move(client));
}

Result<std::string> Containers::console_log(const std::string& name) {
    ASSIGN_OR_RETURN(const auto monitor, living_monitor(name, model::Verb::console));
    return monitor->console_log();
}

Result<std::string> Containers::ssh_host_keys(const std::string& name) {
    ASSIGN_OR_RETURN(const auto container, parts_.containers.find(name));
    RETURN_IF_ERROR(model::allowed(model::Verb::exec, container.state, name));
    // The tree as its tenant has it now; every name in it is the tenant's.
    ASSIGN_OR_RETURN(const auto root,
                     kernel::open_file("/proc/" + std::to_string(*container.init_pid) + "/root",
                                       O_PATH | O_DIRECTORY));
    std::string keys;
    for (const char* type : {"ed25519", "ecdsa", "rsa"}) {
        const std::string path = std::string("etc/ssh/ssh_host_") + type + "_key.pub";
        const auto file = kernel::open_hostile(
            root.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, kernel::Resolve::in_root);
        struct stat info{};
        if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
            continue;
        }
        const auto text = kernel::read_all(file->get(), 16384);
        const std::string line = text ? text->substr(0, text->find('\n')) : std::string();
        if (model::validate_ssh_public_key(line)) {
            keys += line + "\n";
        }
    }
    if (keys.empty()) {
        return fail(ErrorCode::not_found,
                    "'" + name + "' has no SSH host keys (yet); wait for it with `lodge wait " +
                        name + "`");
    }
    return keys;
}

void Containers::exited(const Uuid& uuid, const std::optional<InitExit>& exit) {
    const auto container = parts_.containers.find(uuid);
    if (!container) {
        return;
    }
    const std::string& name = container->spec.name;
    const bool reboot = exit && exit->kind == InitExit::Kind::rebooted;
    const bool crashed =
        !exit || exit->kind == InitExit::Kind::exited || exit->kind == InitExit::Kind::signalled;
    const StopOrder order{.force = true};
    Plan plan =
        reboot ? restart_plan(parts_, *container, order) : stop_plan(parts_, *container, order);
    const auto submitted = engine_.submit({.verb = reboot ? "restart" : "stop",
                                           .resource = name,
                                           .arguments = uuid.to_string(),
                                           .plan = std::move(plan)});
    if (!submitted) {
        return; // busy: a stop, restart or destroy is on its way and sees the same exit
    }
    if (crashed) {
        parts_.announce(
            *container, "crashed", exit ? "init ended by itself" : "the monitor is gone");
    }
}

} // namespace lodge::daemon
