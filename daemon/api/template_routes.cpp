#include "daemon/api/routes.hpp"
#include "lib/kernel/pipe.hpp"

#include <nlohmann/json.hpp>

#include <thread>
#include <utility>

namespace lodge::daemon {

namespace {

using nlohmann::json;

json to_json(const templates::Template& made) {
    return {{"name", made.name},
            {"digest", made.digest},
            {"bytes", made.bytes},
            {"init", made.init},
            {"halt_signal", made.halt_signal},
            {"ready", made.ready},
            {"source", made.source},
            {"created_at", made.created_at}};
}

Status list(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto all, daemon.templates().list());
    json result = json::array();
    for (const templates::Template& made : all) {
        result.push_back(to_json(made));
    }
    exchange.reply(200, result);
    return {};
}

Status definitions(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto all, daemon.templates().definitions());
    json result = json::array();
    for (const templates::Definition& definition : all) {
        result.push_back({{"name", definition.name}, {"description", definition.description}});
    }
    exchange.reply(200, result);
    return {};
}

Status info(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto made, daemon.templates().info(exchange.path()[1]));
    exchange.reply(200, to_json(made));
    return {};
}

Status build(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const json body, exchange.body());
    std::string definition = exchange.path()[1];
    for (const auto& [key, value] : body.items()) {
        if (key != "definition" || !value.is_string()) {
            return fail(ErrorCode::invalid_argument, "'" + key + "' is unknown or has a bad value");
        }
        definition = value.get<std::string>();
    }
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.templates().build(exchange.caller(), definition, exchange.path()[1]));
    return reply_operation(daemon.operations(), exchange, id);
}

// The body flows through a pipe into the unpacking; nothing of it is kept twice.
Status import(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(kernel::Pipe pipe, kernel::make_pipe());
    Result<Uuid> imported = Uuid{};
    {
        const std::jthread importing([&] {
            imported = daemon.templates().import(
                exchange.caller(), exchange.path()[1], std::move(pipe.reader));
            pipe.reader.reset(); // a refusal leaves it with us: the copying below ends with EPIPE
        });
        exchange.copy_body_to(pipe.writer.get());
        pipe.writer.reset();
    }
    RETURN_IF_ERROR(imported);
    ASSIGN_OR_RETURN(const OperationView view, daemon.operations().get(*imported));
    if (view.error) {
        return std::unexpected<Error>(*view.error);
    }
    exchange.reply(200, to_json(view));
    return {};
}

Status remove(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.templates().remove(exchange.caller(), exchange.path()[1]));
    return reply_operation(daemon.operations(), exchange, id);
}

} // namespace

std::vector<Route> template_routes(Daemon& daemon) {
    const auto with = [&daemon](Status (*handler)(Daemon&, Exchange&)) {
        return [&daemon, handler](Exchange& exchange) { return handler(daemon, exchange); };
    };
    return {
        {"GET", {"templates"}, with(list)},
        {"GET", {"template-definitions"}, with(definitions)},
        {"GET", {"templates", "*"}, with(info)},
        {"DELETE", {"templates", "*"}, with(remove)},
        {"POST", {"templates", "*", "build"}, with(build)},
        {"POST", {"templates", "*", "import"}, with(import)},
    };
}

} // namespace lodge::daemon
