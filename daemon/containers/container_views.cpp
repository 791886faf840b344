#include "daemon/containers/container_views.hpp"

#include "daemon/containers/limits.hpp"
#include "daemon/containers/readiness.hpp"
#include "lib/base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace lodge::daemon {

namespace {

// The readiness of a container whose template was removed.
constexpr const char* kReadyWithout = "running";

// Of a process that began so many ticks after the host was booted (proc(5), stat, field 22).
std::uint64_t uptime_of(std::uint64_t start_ticks) {
    static const auto kTicks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    const auto now = static_cast<std::uint64_t>(boottime_ms()) / 1000;
    return now - std::min(now, start_ticks / kTicks);
}

} // namespace

ContainerUse ContainerViews::use_of(const model::Container& container) const {
    const cgroup::Use use = parts_.groups.use(Parts::group_of(container));
    ContainerUse told{.memory_bytes = use.memory_bytes, .processes = use.processes};
    if (use.cpu_microseconds) {
        told.cpu_ms = *use.cpu_microseconds / 1000;
    }
    return told;
}

ContainerView
ContainerViews::view_of(model::Container container, std::string template_ready, bool with_use) {
    ContainerView view{.image_path = parts_.volume_of(container, container.root()).image_path()};
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

Result<std::vector<ContainerView>> ContainerViews::list(const Caller&, bool with_use) {
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

Result<ContainerView> ContainerViews::info(const Caller&, const std::string& name) {
    ASSIGN_OR_RETURN(auto container, parts_.containers.find(name));
    auto made_of = parts_.templates.find(container.spec.template_name);
    if (!made_of && made_of.error().code() != ErrorCode::not_found) {
        return std::unexpected<Error>(std::move(made_of).error());
    }
    return view_of(std::move(container), made_of ? made_of->ready : kReadyWithout, true);
}

// Knocks until it is answered (true) or something has happened to the container.
Result<bool> ContainerViews::knock(const ContainerView& view,
                                   EventSubscription& news,
                                   const Deadline& deadline) {
    constexpr auto kKnock = std::chrono::milliseconds(25);
    const std::string& name = view.container.spec.name;
    const model::IpAddress address = view.container.addresses().front().address;
    SshKnock knock(address);
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
                "no SSH server answered at " + address.to_string() + " in time");
}

Status ContainerViews::wait(const Caller& caller,
                            const std::string& name,
                            const std::string& what,
                            const Deadline& deadline) {
    if (what != "running" && what != "stopped" && what != "ready") {
        return fail(ErrorCode::invalid_argument,
                    "'" + what + "' cannot be waited for; known are running, stopped, ready");
    }
    // Before the look: no event falls between.
    const auto subscription = parts_.events.subscribe_to(name);
    while (true) {
        ASSIGN_OR_RETURN(const ContainerView view, info(caller, name));
        const model::Container& container = view.container;
        const bool running = container.state == model::State::running;
        if (running && what == "ready" && view.template_ready == "ssh" &&
            !container.addresses().empty()) {
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

} // namespace lodge::daemon
