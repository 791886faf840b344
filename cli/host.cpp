#include "cli/hints.hpp"
#include "cli/output.hpp"
#include "lib/base/printable.hpp"
#include "lib/base/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace lodge::cli {

namespace {

using nlohmann::json;

constexpr int kDisagree = 22; // docs/exit-codes.md

void add_parts(std::vector<std::vector<std::string>>& rows, const json& parts) {
    for (const json& part : parts) {
        rows.push_back({"  " + part.value("name", ""),
                        part.value("available", false) ? part.value("description", "")
                                                       : "not here: " + part.value("why_not", "")});
    }
}

// Shows only the settings that are not in order: the others are many and need no attention.
void add_settings(std::vector<std::vector<std::string>>& rows, const json& settings) {
    std::size_t bad = 0;
    const std::size_t place = rows.size();
    for (const json& setting : settings) {
        if (!setting.value("suits", true)) {
            ++bad;
            rows.push_back({"  " + setting.value("name", ""),
                            "is " + setting["value"].dump() + ", should be " +
                                setting.value("bound", "") + " " + setting["wanted"].dump() + ": " +
                                setting.value("why", "")});
        }
    }
    rows.insert(rows.begin() + static_cast<std::ptrdiff_t>(place),
                {"settings",
                 bad == 0 ? "as a host of many containers needs them"
                          : std::to_string(bad) + " of the kernel's do not suit: install "
                                                  "50-lodge.conf in /etc/sysctl.d, then sysctl "
                                                  "--system"});
}

std::string told_servers(const json& nameservers) {
    std::string text;
    for (const json& server : nameservers.value("servers", json::array())) {
        text += server.get<std::string>() + " ";
    }
    return text.empty() ? "none: " + nameservers.value("why_not", "")
                        : text + "(" + nameservers.value("source", "") + ")";
}

Result<int> host_info(const Globals& globals) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", "/v1/host"));
    ASSIGN_OR_RETURN(const json info, parse_answer(text));
    if (globals.json) {
        print_json(info);
        return 0;
    }
    std::vector<std::vector<std::string>> rows{{"version", info.value("version", "")},
                                               {"kernel", info.value("kernel", "")}};
    add_parts(rows, info.value("features", json::array()));
    add_settings(rows, info.value("settings", json::array()));
    const std::string chosen = info.value("encryption", "");
    rows.push_back({"encryption",
                    (chosen.empty() ? "none can be had" : chosen) + " (" +
                        info.value("encryption_why", "") + ")"});
    add_parts(rows, info["encryptions"]);
    const json keys = info.value("keys", json::object());
    const std::string why_not = keys.value("why_not", "");
    rows.push_back({"keys", keys.value("provider", "") + (why_not.empty() ? "" : ": " + why_not)});
    rows.push_back(
        {"cgroup", info["cgroup"].value("mount_point", "") + info["cgroup"].value("base", "")});
    for (const json& controller : info["cgroup"]["controllers"]) {
        rows.push_back({"  " + controller.get<std::string>(), "can be enforced"});
    }
    for (const json& missing : info["cannot_enforce"]) {
        rows.push_back(
            {"  " + missing.value("what", ""), "cannot be enforced: " + missing.value("why", "")});
    }
    rows.push_back({"bridge", info.value("bridge", "")});
    for (const json& pool : info["pools"]) {
        rows.push_back({"  pool", pool.get<std::string>()});
    }
    rows.push_back({"name servers", told_servers(info.value("nameservers", json::object()))});
    print_table(rows);
    return 0;
}

Result<int> shut_down(const Globals& globals, const std::string& timeout) {
    ASSIGN_OR_RETURN(const std::int64_t milliseconds,
                     of_option(parse_duration_ms(timeout), "host shutdown --timeout"));
    ASSIGN_OR_RETURN(
        const json operation,
        run_operation(
            globals, "POST", "/v1/host/shutdown", json{{"timeout_ms", milliseconds}}.dump()));
    if (globals.json) {
        print_json(operation);
    }
    confirm(globals, "all containers are stopped");
    return 0;
}

Result<int> start_up(const Globals& globals) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("POST", "/v1/host/startup"));
    ASSIGN_OR_RETURN(const json answer, parse_answer(text));
    if (globals.json) {
        print_json(answer);
    }
    confirm(globals, "containers to start: " + std::to_string(answer.value("starting", 0)));
    return 0;
}

std::string told(const json& finding) {
    const std::string state = finding.value("state", "");
    const std::string step = finding.value("step", "");
    return "'" + finding.value("subject", "") + "' " + state + ": " +
           (step == "report" ? "" : step + ": ") + finding.value("why", "") +
           (finding.contains("error") ? ": " + finding["error"].value("message", "") : "");
}

void tell_findings(const Globals& globals, const json& report, std::size_t remaining) {
    for (const json& finding : report["findings"]) {
        std::cout << printable(told(finding)) << '\n';
    }
    for (const json& holder : report["busy"]) {
        std::cout << printable("busy: " + holder.value("verb", "") + " " +
                               holder.value("resource", ""))
                  << '\n';
    }
    const std::string but_for = report["busy"].empty() ? "" : "; what is busy was left out";
    confirm(globals,
            (remaining == 0
                 ? "database, kernel and disk agree"
                 : "database, kernel and disk do not agree: " + std::to_string(remaining) +
                       (remaining == 1 ? " finding" : " findings")) +
                but_for);
}

Result<int> check(const Globals& globals, bool repair) {
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().call(repair ? "POST" : "GET", "/v1/host/check"));
    ASSIGN_OR_RETURN(const json report, parse_answer(text));
    const auto& findings = report["findings"];
    const auto remaining = static_cast<std::size_t>(
        std::count_if(findings.begin(), findings.end(), [](const json& finding) {
            return finding.value("state", "") != "mended";
        }));
    if (globals.json) {
        print_json(report);
    } else {
        tell_findings(globals, report, remaining);
    }
    return remaining == 0 ? 0 : kDisagree;
}

} // namespace

void add_host_commands(const Registry& registry) {
    const Globals& globals = registry.globals;
    CLI::App* host = registry.app.add_subcommand("host", "The host itself");
    host->require_subcommand(1);
    registry.add(*host, "info", "What this host can do, and what it cannot enforce", [&globals] {
        return host_info(globals);
    });
    const auto timeout = std::make_shared<std::string>("80s");
    registry
        .add(*host,
             "shutdown",
             "Stop all containers; those that should come up again with the host",
             [&globals, timeout] { return shut_down(globals, *timeout); })
        ->add_option("--timeout", *timeout, "How long they may take to halt by themselves (80s)");
    registry.add(*host,
                 "startup",
                 "Start the containers that a boot of the host starts",
                 [&globals] { return start_up(globals); });
    const auto repair = std::make_shared<bool>(false);
    registry
        .add(*host,
             "check",
             "Whether database, kernel and disk agree",
             [&globals, repair] { return check(globals, *repair); })
        ->add_flag("--repair", *repair, "Mend what can be mended");
}

} // namespace lodge::cli
