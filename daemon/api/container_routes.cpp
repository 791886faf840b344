#include "daemon/api/container_json.hpp"
#include "daemon/api/requests.hpp"
#include "daemon/api/routes.hpp"
#include "lib/api/json.hpp"
#include "lib/base/units.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace lodge::daemon {

namespace {

using nlohmann::json;

constexpr const char* kForce = "force";

json to_json(const ContainerView& view) {
    return ContainerJson::whole().of(view);
}

constexpr const char* kFields = "fields";

Status require_session(const Exchange& exchange) {
    if (!exchange.asks_for_session()) {
        return fail(ErrorCode::invalid_argument, "this path needs 'Upgrade: lodge-session/1'");
    }
    return {};
}

Status create(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(json body, exchange.body());
    ASSIGN_OR_RETURN(CreateRequest request, read_create(std::move(body)));
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.containers().create(exchange.caller(), std::move(request)));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

Status list_containers(Daemon& daemon, Exchange& exchange) {
    const std::string asked = exchange.query(kFields).value_or("");
    ASSIGN_OR_RETURN(const auto keys, read_fields(asked));
    const ContainerJson shown(keys);
    ASSIGN_OR_RETURN(const auto views, daemon.views().list(exchange.caller(), shown.shows_use()));
    // Makes the text of one container after the other: one JSON value for thousands of them takes
    // twice the time.
    std::string all = "[";
    for (const ContainerView& view : views) {
        all += all.size() > 1 ? "," : "";
        all += api::to_text(shown.of(view));
    }
    exchange.reply_json(200, all + "]\n");
    return {};
}

Status container_info(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto view, daemon.views().info(exchange.caller(), exchange.path()[1]));
    exchange.reply(200, to_json(view));
    return {};
}

Status start(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.containers().start(exchange.caller(), exchange.path()[1]));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

Status stop_or_restart(Daemon& daemon, Exchange& exchange, bool restart) {
    ASSIGN_OR_RETURN(const json body, exchange.body());
    ASSIGN_OR_RETURN(const StopRequest request, read_stop(body));
    const std::string& name = exchange.path()[1];
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     restart ? daemon.containers().restart(exchange.caller(), name, request)
                             : daemon.containers().stop(exchange.caller(), name, request));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

Status kill(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const json body, exchange.body());
    ASSIGN_OR_RETURN(const int signal, read_kill(body));
    RETURN_IF_ERROR(daemon.containers().kill(exchange.caller(), exchange.path()[1], signal));
    exchange.reply(200, json::object());
    return {};
}

Status set(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const json body, exchange.body());
    ASSIGN_OR_RETURN(const model::SpecChange change, api::change_from_json(body));
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.containers().set(exchange.caller(), exchange.path()[1], change));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

Status set_frozen(Daemon& daemon, Exchange& exchange, bool frozen) {
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.containers().set_frozen(exchange.caller(), exchange.path()[1], frozen));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

Status destroy(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const bool force, read_flag(exchange, kForce));
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.containers().destroy(exchange.caller(), exchange.path()[1], force));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

Status wait(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const std::int64_t timeout,
                     parse_duration_ms(exchange.query("timeout").value_or("60s")));
    ASSIGN_OR_RETURN(const auto seat, exchange.sit_down());
    RETURN_IF_ERROR(daemon.views().wait(exchange.caller(),
                                        exchange.path()[1],
                                        exchange.query("for").value_or("ready"),
                                        Deadline::after(std::chrono::milliseconds(timeout))));
    return container_info(daemon, exchange);
}

Status exec(Daemon& daemon, Exchange& exchange) {
    RETURN_IF_ERROR(require_session(exchange));
    ASSIGN_OR_RETURN(const json body, exchange.body());
    ASSIGN_OR_RETURN(const ExecRequest request, read_exec(body));
    return daemon.sessions().exec(
        exchange.caller(), exchange.path()[1], request, [&] { return exchange.take_connection(); });
}

Status console(Daemon& daemon, Exchange& exchange) {
    RETURN_IF_ERROR(require_session(exchange));
    return daemon.sessions().console(
        exchange.caller(), exchange.path()[1], [&] { return exchange.take_connection(); });
}

Status reply_text(Exchange& exchange, const Result<std::string>& text, const char* key) {
    RETURN_IF_ERROR(text);
    exchange.reply(200, {{key, *text}});
    return {};
}

Status console_log(Daemon& daemon, Exchange& exchange) {
    return reply_text(
        exchange, daemon.sessions().console_log(exchange.caller(), exchange.path()[1]), "log");
}

Status ssh_host_keys(Daemon& daemon, Exchange& exchange) {
    return reply_text(
        exchange, daemon.sessions().ssh_host_keys(exchange.caller(), exchange.path()[1]), "keys");
}

} // namespace

std::vector<Route> container_routes(Daemon& daemon) {
    const auto with = [&daemon](Status (*handler)(Daemon&, Exchange&)) {
        return [&daemon, handler](Exchange& exchange) { return handler(daemon, exchange); };
    };
    return {
        {"GET", {"containers"}, Permission::view, {kFields}, Body::none, with(list_containers)},
        {"POST", {"containers"}, Permission::change, {kWait}, Body::object, with(create)},
        {"GET", {"containers", "*"}, Permission::view, {}, Body::none, with(container_info)},
        {"DELETE",
         {"containers", "*"},
         Permission::change,
         {kForce, kWait},
         Body::none,
         with(destroy)},
        {"PATCH", {"containers", "*"}, Permission::change, {kWait}, Body::object, with(set)},
        {"POST",
         {"containers", "*", "start"},
         Permission::operate,
         {kWait},
         Body::none,
         with(start)},
        {"POST",
         {"containers", "*", "stop"},
         Permission::operate,
         {kWait},
         Body::object,
         [&daemon](Exchange& exchange) { return stop_or_restart(daemon, exchange, false); }},
        {"POST",
         {"containers", "*", "restart"},
         Permission::operate,
         {kWait},
         Body::object,
         [&daemon](Exchange& exchange) { return stop_or_restart(daemon, exchange, true); }},
        {"POST", {"containers", "*", "kill"}, Permission::operate, {}, Body::object, with(kill)},
        {"POST",
         {"containers", "*", "freeze"},
         Permission::operate,
         {kWait},
         Body::none,
         [&daemon](Exchange& exchange) { return set_frozen(daemon, exchange, true); }},
        {"POST",
         {"containers", "*", "thaw"},
         Permission::operate,
         {kWait},
         Body::none,
         [&daemon](Exchange& exchange) { return set_frozen(daemon, exchange, false); }},
        {"GET",
         {"containers", "*", "wait"},
         Permission::view,
         {"for", "timeout"},
         Body::none,
         with(wait)},
        {"POST", {"containers", "*", "exec"}, Permission::enter, {}, Body::command, with(exec)},
        {"POST", {"containers", "*", "console"}, Permission::enter, {}, Body::none, with(console)},
        {"GET",
         {"containers", "*", "console-log"},
         Permission::view,
         {},
         Body::none,
         with(console_log)},
        {"GET",
         {"containers", "*", "ssh-host-keys"},
         Permission::view,
         {},
         Body::none,
         with(ssh_host_keys)},
    };
}

} // namespace lodge::daemon
