#include "daemon/api/routes.hpp"
#include "lib/api/json.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>
#include <memory>

namespace lodge::daemon {

namespace {

using nlohmann::json;

json to_json(const SeenSetting& seen) {
    return {{"name", std::string(seen.setting.name)},
            {"value", seen.value ? json(*seen.value) : json()},
            {"bound", std::string(to_string(seen.setting.bound))},
            {"wanted", seen.setting.wanted},
            {"suits", seen.suits()},
            {"why", std::string(seen.setting.why)},
            {"what_to_do", seen.what_to_do()}};
}

Status host_info(Daemon& daemon, Exchange& exchange) {
    const HostInfo info = daemon.host_info();
    json result{{"kernel", info.kernel},
                {"version", LODGE_VERSION},
                {"encryption", info.encryption},
                {"encryption_why", info.encryption_why},
                {"bridge", info.bridge},
                {"pools", info.pools}};
    for (const kernel::Feature& feature : info.features) {
        result["features"].push_back({{"name", feature.name},
                                      {"available", feature.why_not.empty()},
                                      {"why_not", feature.why_not},
                                      {"description", feature.description}});
    }
    for (const SeenSetting& setting : info.settings) {
        result["settings"].push_back(to_json(setting));
    }
    for (const storage::DriverInfo& driver : info.encryptions) {
        result["encryptions"].push_back({{"name", std::string(model::to_string(driver.encryption))},
                                         {"available", driver.available},
                                         {"why_not", driver.why_not},
                                         {"description", driver.description}});
    }
    result["keys"] = {{"provider", info.key_provider},
                      {"available", info.keys_why_not.empty()},
                      {"why_not", info.keys_why_not}};
    result["cgroup"] = {{"mount_point", info.cgroup.mount_point},
                        {"base", info.cgroup.base},
                        {"controllers", info.cgroup.controllers}};
    result["cannot_enforce"] = json::array();
    for (const auto& [what, why] : info.cgroup.missing) {
        result["cannot_enforce"].push_back({{"what", what}, {"why", why}});
    }
    result["nameservers"] = {{"servers", info.resolvers.servers},
                             {"source", info.resolvers.source},
                             {"why_not", info.resolvers.why_not}};
    exchange.reply(200, result);
    return {};
}

Status shut_down(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const json body, exchange.body());
    const json timeout = body.value("timeout_ms", json(80'000));
    if (!timeout.is_number_unsigned() || timeout.get<std::uint64_t>() > 86'400'000 ||
        body.size() > body.count("timeout_ms")) {
        return fail(ErrorCode::invalid_argument,
                    "'timeout_ms' must be a number of milliseconds, and nothing else is known");
    }
    ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
    ASSIGN_OR_RETURN(
        const Uuid id,
        daemon.shut_down_host(std::chrono::milliseconds(timeout.get<std::uint64_t>())));
    return reply_operation(daemon.operations(), exchange, id, wait);
}

json to_json(const Finding& finding) {
    const RecoveryStep& step = finding.outcome.step;
    json result{{"state", std::string(to_string(finding.state))},
                {"step", std::string(to_string(step.act))},
                {"subject", step.subject},
                {"why", step.why}};
    if (step.uuid != Uuid{}) {
        result["uuid"] = step.uuid.to_string();
    }
    if (finding.outcome.error) {
        result["error"] = api::to_json(*finding.outcome.error)["error"];
    }
    return result;
}

Status check(Daemon& daemon, Exchange& exchange, bool repair) {
    ASSIGN_OR_RETURN(const CheckReport report, daemon.check_host(repair));
    json result{{"took_ms", report.took_ms}, {"findings", json::array()}, {"busy", json::array()}};
    for (const Finding& finding : report.findings) {
        result["findings"].push_back(to_json(finding));
    }
    for (const Holder& holder : report.busy) {
        result["busy"].push_back({{"verb", holder.verb}, {"resource", holder.resource}});
    }
    exchange.reply(200, result);
    return {};
}

// The number of past events at the start of a stream.
Result<std::size_t> past_events(const Exchange& exchange) {
    const std::string text = exchange.query("last").value_or("0");
    std::size_t count = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || count > kKeptEvents) {
        return fail(ErrorCode::invalid_argument,
                    "last '" + text + "': not a number from 0 to " + std::to_string(kKeptEvents) +
                        ", which is how many events are kept");
    }
    return count;
}

// Sends a heartbeat (an empty line). It shows the reader that a silent stream is alive, and it
// fails when the reader is gone.
Status events(Daemon& daemon, Exchange& exchange) {
    ASSIGN_OR_RETURN(const std::size_t past, past_events(exchange));
    ASSIGN_OR_RETURN(const auto seat, exchange.sit_down());
    const auto subscription = daemon.operations().subscribe(exchange.caller(), past);
    exchange.reply_lines([&]() -> std::optional<std::string> {
        const Deadline heartbeat = Deadline::after(std::chrono::seconds(10));
        if (const auto event = subscription->next(heartbeat)) {
            return api::to_text(to_json(*event));
        }
        return heartbeat.expired() ? std::optional<std::string>("") : std::nullopt;
    });
    return {};
}

Result<Uuid> operation_id(const Exchange& exchange) {
    return Uuid::parse(exchange.path()[1]);
}

} // namespace

std::vector<Route> host_routes(Daemon& daemon) {
    return {
        {"GET",
         {"host"},
         Permission::view,
         {},
         Body::none,
         [&daemon](Exchange& exchange) { return host_info(daemon, exchange); }},
        {"POST",
         {"host", "shutdown"},
         Permission::manage_host,
         {kWait},
         Body::object,
         [&daemon](Exchange& exchange) { return shut_down(daemon, exchange); }},
        {"POST",
         {"host", "startup"},
         Permission::manage_host,
         {},
         Body::none,
         [&daemon](Exchange& exchange) -> Status {
             ASSIGN_OR_RETURN(const std::size_t starting, daemon.start_up_host());
             exchange.reply(200, {{"starting", starting}});
             return {};
         }},
        {"GET",
         {"host", "check"},
         Permission::view,
         {},
         Body::none,
         [&daemon](Exchange& exchange) { return check(daemon, exchange, false); }},
        {"POST",
         {"host", "check"},
         Permission::manage_host,
         {},
         Body::none,
         [&daemon](Exchange& exchange) { return check(daemon, exchange, true); }},
        {"GET",
         {"events"},
         Permission::view,
         {"last"},
         Body::none,
         [&daemon](Exchange& exchange) { return events(daemon, exchange); }},
        {"GET",
         {"version"},
         Permission::view,
         {},
         Body::none,
         [](Exchange& exchange) -> Status {
             exchange.reply(200, {{"version", LODGE_VERSION}, {"api", "v1"}});
             return {};
         }},
    };
}

std::vector<Route> operation_routes(Daemon& daemon) {
    return {
        {"GET",
         {"operations"},
         Permission::view,
         {},
         Body::none,
         [&daemon](Exchange& exchange) -> Status {
             json result = json::array();
             for (const OperationView& view : daemon.operations().list(exchange.caller())) {
                 result.push_back(to_json(view));
             }
             exchange.reply(200, result);
             return {};
         }},
        {"GET",
         {"operations", "*"},
         Permission::view,
         {},
         Body::none,
         [&daemon](Exchange& exchange) -> Status {
             ASSIGN_OR_RETURN(const Uuid id, operation_id(exchange));
             ASSIGN_OR_RETURN(const OperationView view,
                              daemon.operations().get(exchange.caller(), id));
             exchange.reply(200, to_json(view));
             return {};
         }},
        {"GET",
         {"operations", "*", "wait"},
         Permission::view,
         {kWait},
         Body::none,
         [&daemon](Exchange& exchange) -> Status {
             ASSIGN_OR_RETURN(const Uuid id, operation_id(exchange));
             ASSIGN_OR_RETURN(const auto wait, read_wait(exchange));
             return reply_operation(daemon.operations(), exchange, id, wait);
         }},
        {"POST",
         {"operations", "*", "cancel"},
         Permission::operate,
         {},
         Body::none,
         [&daemon](Exchange& exchange) -> Status {
             ASSIGN_OR_RETURN(const Uuid id, operation_id(exchange));
             RETURN_IF_ERROR(daemon.operations().cancel(exchange.caller(), id));
             exchange.reply(200, json::object());
             return {};
         }},
    };
}

} // namespace lodge::daemon
