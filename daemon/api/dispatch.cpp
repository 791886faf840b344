#include "daemon/api/routes.hpp"
#include "lib/api/json.hpp"
#include "lib/base/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lodge::daemon {

namespace {

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    return std::equal(pattern.begin(),
                      pattern.end(),
                      path.begin(),
                      path.end(),
                      [](const std::string& want, const std::string& part) {
                          return want == "*" ? !part.empty() : want == part;
                      });
}

std::string status_name(OperationStatus status) {
    switch (status) {
    case OperationStatus::running:
        return "running";
    case OperationStatus::succeeded:
        return "succeeded";
    case OperationStatus::failed:
        return "failed";
    case OperationStatus::cancelled:
        break;
    }
    return "cancelled";
}

// A request with a missing or unknown part has no effect.
Status handle(const Route& route, Exchange& exchange) {
    RETURN_IF_ERROR(check_permission(exchange.caller(), route));
    RETURN_IF_ERROR(exchange.check_query(route.parameters));
    if (route.body != Body::stream) {
        RETURN_IF_ERROR(route.body == Body::command ? exchange.fetch_command()
                                                    : exchange.check_body());
    }
    if (route.body == Body::none) {
        ASSIGN_OR_RETURN(const nlohmann::json body, exchange.body());
        if (!body.empty()) {
            return fail(ErrorCode::invalid_argument,
                        "'" + body.items().begin().key() + "' is unknown: this path takes no body");
        }
    }
    return route.handle(exchange);
}

} // namespace

Status check_permission(const Caller& caller, const Route& route) {
    return caller.may->contains(route.needs)
               ? Status{}
               : fail(ErrorCode::permission_denied,
                      "the user " + std::to_string(caller.uid) + " may not do this");
}

void dispatch(const std::vector<Route>& routes, Exchange& exchange) {
    if (exchange.refusal()) {
        exchange.reply_error(*exchange.refusal());
        return;
    }
    bool known_path = false;
    for (const Route& route : routes) {
        if (!matches(route.path, exchange.path())) {
            continue;
        }
        known_path = true;
        if (route.method != exchange.method()) {
            continue;
        }
        const Status handled = handle(route, exchange);
        if (!handled && !exchange.answered() && handled.error().code() != ErrorCode::unreachable) {
            exchange.reply_error(handled.error());
        }
        return;
    }
    const Error error = known_path
                            ? Error(ErrorCode::invalid_argument,
                                    "the method " + exchange.method() + " is not for this path")
                            : Error(ErrorCode::not_found, "the API has no such path");
    exchange.reply(known_path ? 405 : 404, api::to_json(error));
}

Result<Wait> read_wait(const Exchange& exchange) {
    const auto text = exchange.query(kWait);
    if (!text) {
        return Wait();
    }
    ASSIGN_OR_RETURN(const std::int64_t milliseconds, parse_duration_ms(*text));
    return std::chrono::milliseconds(milliseconds);
}

Result<bool> read_flag(const Exchange& exchange, const std::string& parameter) {
    const std::string value = exchange.query(parameter).value_or("false");
    if (value != "true" && value != "false") {
        return fail(ErrorCode::invalid_argument,
                    "'" + parameter + "' must be true or false, not '" + value + "'");
    }
    return value == "true";
}

Status reply_operation(OperationService& operations,
                       Exchange& exchange,
                       const Uuid& id,
                       const Wait& wait) {
    if (wait) {
        // The operation runs already: if too many requests wait, answer at once.
        const auto seat = exchange.sit_down();
        const Deadline deadline = Deadline::after(seat ? *wait : std::chrono::milliseconds::zero());
        ASSIGN_OR_RETURN(const OperationView view,
                         operations.wait(exchange.caller(), id, deadline));
        if (view.error) {
            return std::unexpected<Error>(*view.error);
        }
        exchange.reply(view.status == OperationStatus::running ? 202 : 200, to_json(view));
        return {};
    }
    ASSIGN_OR_RETURN(const OperationView view, operations.get(exchange.caller(), id));
    exchange.reply(202, to_json(view));
    return {};
}

nlohmann::json to_json(const OperationView& operation) {
    nlohmann::json json{{"id", operation.id.to_string()},
                        {"verb", operation.verb},
                        {"resource", operation.resource},
                        {"status", status_name(operation.status)},
                        {"step", operation.step},
                        {"warnings", operation.warnings},
                        {"started_at_ms", operation.started_at},
                        {"ended_at_ms", operation.ended_at},
                        {"cancellable", operation.cancellable}};
    if (operation.error) {
        json["error"] = api::to_json(*operation.error)["error"];
    }
    return json;
}

nlohmann::json to_json(const Event& event) {
    nlohmann::json json{{"sequence", event.sequence},
                        {"at_ms", event.at},
                        {"kind", event.kind},
                        {"resource", event.resource},
                        {"what", event.what},
                        {"detail", event.detail}};
    if (event.operation) {
        json["operation"] = to_json(*event.operation);
    }
    return json;
}

} // namespace lodge::daemon
