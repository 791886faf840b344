#pragma once

#include "daemon/api/exchange.hpp"
#include "daemon/daemon.hpp"

#include <functional>
#include <string>
#include <vector>

namespace lodge::daemon {

/// One route: method, path with "*" for a part that is a name, and what to do. Routes translate and
/// decide nothing; an error they return is answered as such.
struct Route {
    std::string method;
    std::vector<std::string> path;
    std::function<Status(Exchange&)> handle;
};

[[nodiscard]] std::vector<Route> container_routes(Daemon& daemon);
[[nodiscard]] std::vector<Route> template_routes(Daemon& daemon);
[[nodiscard]] std::vector<Route> operation_routes(Daemon& daemon);
[[nodiscard]] std::vector<Route> host_routes(Daemon& daemon);

/// Finds the route and runs it; answers 404 and 405 itself.
void dispatch(const std::vector<Route>& routes, Exchange& exchange);

/// Answers a started operation: 202 at once, or, with ?wait=SECONDS, when it has ended.
[[nodiscard]] Status
reply_operation(OperationService& operations, Exchange& exchange, const Uuid& id);

[[nodiscard]] nlohmann::json to_json(const OperationView& operation);
[[nodiscard]] nlohmann::json to_json(const Event& event);

} // namespace lodge::daemon
