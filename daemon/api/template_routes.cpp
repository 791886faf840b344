#include "daemon/api/routes.hpp"
#include "lib/base/contained.hpp"
#include "lib/kernel/pipe.hpp"

#include <nlohmann/json.hpp>

#include <future>
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

Status list_templates(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto all, daemon.templates().list(exchange.caller()));
    json result = json::array();
    for (const templates::Template& made : all) {
        result.push_back(to_json(made));
    }
    exchange.reply(200, result);
    return {};
}

Status definitions(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto all, daemon.templates().definitions(exchange.caller()));
    json result = json::array();
    for (const templates::Definition& definition : all) {
        result.push_back({{"name", definition.name}, {"description", definition.description}});
    }
    exchange.reply(200, result);
    return {};
}

Status template_info(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto made,
                     daemon.templates().info(exchange.caller(), exchange.path()[1]));
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
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.templates().build(exchange.caller(), definition, exchange.path()[1]));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

// The body goes through a pipe to the unpacker and is stored nowhere else. The result of the copy
// is known before the unpacker can see the end of the pipe.
Status import(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto seat, exchange.take_archive());
    ASSIGN_OR_RETURN(kernel::Pipe pipe, kernel::make_pipe());
    std::promise<Status> copied;
    Archive archive{.bytes = std::move(pipe.reader), .copied = copied.get_future().share()};
    Status done;
    Uuid id;
    {
        const std::jthread importing([&] {
            done = contained([&]() -> Status {
                ASSIGN_OR_RETURN(id,
                                 daemon.templates().import(
                                     exchange.caller(), exchange.path()[1], std::move(archive)));
                return {};
            });
            archive.bytes.reset(); // after a refusal the copy below gets EPIPE
        });
        copied.set_value(contained([&] { return exchange.copy_body_to(pipe.writer.get()); }));
        pipe.writer.reset();
    }
    RETURN_IF_ERROR(done);
    ASSIGN_OR_RETURN(const OperationView view, daemon.operations().get(exchange.caller(), id));
    if (view.error) {
        return std::unexpected<Error>(*view.error);
    }
    exchange.reply(200, to_json(view));
    return {};
}

Status remove(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(const Uuid id,
                     daemon.templates().remove(exchange.caller(), exchange.path()[1]));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

} // namespace

std::vector<Route> template_routes(Daemon& daemon) {
    const auto with = [&daemon](Status (*handler)(Daemon&, Exchange&)) {
        return [&daemon, handler](Exchange& exchange) { return handler(daemon, exchange); };
    };
    return {
        {"GET", {"templates"}, Permission::view, {}, Body::none, with(list_templates)},
        {"GET", {"template-definitions"}, Permission::view, {}, Body::none, with(definitions)},
        {"GET", {"templates", "*"}, Permission::view, {}, Body::none, with(template_info)},
        {"DELETE",
         {"templates", "*"},
         Permission::manage_templates,
         {kWait},
         Body::none,
         with(remove)},
        {"POST",
         {"templates", "*", "build"},
         Permission::manage_templates,
         {kWait},
         Body::object,
         with(build)},
        {"POST",
         {"templates", "*", "import"},
         Permission::manage_templates,
         {},
         Body::stream,
         with(import)},
    };
}

} // namespace lodge::daemon
