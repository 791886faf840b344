#pragma once

#include "daemon/api/exchange.hpp"
#include "daemon/daemon.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lodge::daemon {

/// The body of a request.
enum class Body : std::uint8_t {
    none,    ///< nothing, or an empty object
    object,  ///< Exchange::body()
    command, ///< a larger object, with the words of a command
    stream,  ///< of any length, read by the route itself
};
using Parameters = std::vector<std::string>;

/// One route: method, path with "*" for a part that is a name, the needed permission, parameters,
/// body and handler. A handler translates and decides nothing: it reads the whole request before it
/// acts. An error that it returns is the answer.
struct Route {
    std::string method;
    std::vector<std::string> path;
    Permission needs;
    Parameters parameters; ///< of the query
    Body body = Body::none;
    std::function<Status(Exchange&)> handle;
};

[[nodiscard]] std::vector<Route> container_routes(Daemon& daemon);
[[nodiscard]] std::vector<Route> template_routes(Daemon& daemon);
[[nodiscard]] std::vector<Route> operation_routes(Daemon& daemon);
[[nodiscard]] std::vector<Route> host_routes(Daemon& daemon);

/// permission_denied when the caller lacks what the route needs.
[[nodiscard]] Status check_permission(const Caller& caller, const Route& route);

/// Finds the route and runs it, if the request is whole and all of it is known. Answers 404 and 405
/// itself. Sends no answer when the request fails because the daemon ends: to the client the daemon
/// is gone.
void dispatch(const std::vector<Route>& routes, Exchange& exchange);

/// The parameter of routes that start an operation.
inline constexpr const char* kWait = "wait";
/// Its value: how long the answer may wait for the operation's end; absent: not at all. Read it
/// before the operation is started.
using Wait = std::optional<std::chrono::milliseconds>;
[[nodiscard]] Result<Wait> read_wait(const Exchange& exchange);
/// "true" or "false"; absent: false.
[[nodiscard]] Result<bool> read_flag(const Exchange& exchange, const std::string& parameter);

/// Answers a started operation: 202 while it runs, 200 when it has ended.
[[nodiscard]] Status
reply_operation(OperationService& operations, Exchange& exchange, const Uuid& id, const Wait& wait);

[[nodiscard]] nlohmann::json to_json(const OperationView& operation);
[[nodiscard]] nlohmann::json to_json(const Event& event);

} // namespace lodge::daemon
