#include "cli/info_rows.hpp"
#include "cli/output.hpp"
#include "lib/base/units.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <csignal>
#include <iostream>
#include <memory>
#include <utility>

#include <string.h>

namespace lodge::cli {

namespace {

using nlohmann::json;

struct NameOptions {
    std::string name;
    bool force = false;
    std::string timeout;
    std::string signal = "KILL";
    std::string wait_for = "ready";
};
using NameOptionsPtr = std::shared_ptr<NameOptions>;

std::string path_of(const std::string& name) {
    return "/v1/containers/" + escaped(name);
}

Result<int> act(const Globals& globals,
                const std::string& method,
                const std::string& path,
                const std::string& done,
                const std::string& body = {}) {
    ASSIGN_OR_RETURN(const json operation, run_operation(globals, method, path, body));
    if (globals.json) {
        print_json(operation);
    }
    confirm(globals, done);
    return 0;
}

Result<std::string> stop_body(const NameOptions& options) {
    json body{{"force", options.force}};
    if (!options.timeout.empty()) {
        ASSIGN_OR_RETURN(const std::int64_t milliseconds, parse_duration_ms(options.timeout));
        body["timeout_ms"] = milliseconds;
    }
    return body.dump();
}

Result<int> signal_number(const std::string& words) {
    int number = 0;
    const auto [end, error] = std::from_chars(words.data(), words.data() + words.size(), number);
    if (error == std::errc{} && end == words.data() + words.size() && number >= 1 && number <= 64) {
        return number;
    }
    const std::string name = words.rfind("SIG", 0) == 0 ? words.substr(3) : words;
    for (int candidate = 1; candidate < 32; ++candidate) {
        const char* known = sigabbrev_np(candidate);
        if (known != nullptr && name == known) {
            return candidate;
        }
    }
    return fail(ErrorCode::invalid_argument, "'" + words + "' is not a signal's name or number");
}

Result<int> container_info(const Globals& globals, const std::string& name) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", path_of(name)));
    ASSIGN_OR_RETURN(const json one, parse_answer(text));
    if (globals.json) {
        print_json(one);
        return 0;
    }
    print_table(info_rows(one));
    return 0;
}

Result<int> kill(const Globals& globals, const NameOptions& options) {
    ASSIGN_OR_RETURN(const int number, signal_number(options.signal));
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().call(
                         "POST", path_of(options.name) + "/kill", json{{"signal", number}}.dump()));
    if (globals.json) {
        std::cout << text;
    }
    return 0;
}

Result<int> wait(const Globals& globals, const NameOptions& options) {
    const std::string query = "/wait?for=" + escaped(options.wait_for) + "&timeout=" +
                              escaped(options.timeout.empty() ? "60s" : options.timeout);
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().call("GET", path_of(options.name) + query));
    ASSIGN_OR_RETURN(const json one, parse_answer(text));
    if (globals.json) {
        print_json(one);
    }
    return 0;
}

} // namespace

void add_container_commands(const Registry& registry) {
    const Globals& globals = registry.globals;
    const auto named = [&](const std::string& verb,
                           const std::string& description,
                           const std::function<Result<int>(const NameOptions&)>& action) {
        const auto options = std::make_shared<NameOptions>();
        CLI::App* command = registry.add(
            registry.app, verb, description, [options, action] { return action(*options); });
        command->add_option("NAME", options->name, "The container")->required();
        return std::pair(command, options);
    };
    named("start", "Start a container", [&globals](const NameOptions& o) {
        return act(globals, "POST", path_of(o.name) + "/start", "'" + o.name + "' is running");
    });
    for (const auto& [verb, description, done] :
         {std::tuple("stop", "Stop a container", "' is stopped"),
          {"restart", "Stop and start a container", "' is running"}}) {
        const auto [command, options] = named(
            verb,
            description,
            [&globals, path = std::string("/") + verb, done = std::string(done)](
                const NameOptions& o) -> Result<int> {
                ASSIGN_OR_RETURN(const std::string body, stop_body(o));
                return act(globals, "POST", path_of(o.name) + path, "'" + o.name + done, body);
            });
        command->add_flag("--force,--fast", options->force, "Do not ask it to halt first");
        command->add_option(
            "--timeout",
            options->timeout,
            "How long it may take to halt by itself (default: as lodged is configured)");
    }
    {
        const auto [command, options] =
            named("kill", "Send a signal to a container's init", [&globals](const NameOptions& o) {
                return kill(globals, o);
            });
        command->add_option("--signal", options->signal, "Name or number (KILL)");
    }
    for (const auto& [verb, description, done] :
         {std::tuple("freeze", "Hold every process of a container where it is", "' is frozen"),
          {"thaw", "Let a frozen container go on", "' is running"}}) {
        named(verb,
              description,
              [&globals, path = std::string("/") + verb, done = std::string(done)](
                  const NameOptions& o) {
                  return act(globals, "POST", path_of(o.name) + path, "'" + o.name + done);
              });
    }
    {
        const auto [command, options] =
            named("destroy", "Erase a container and its disk", [&globals](const NameOptions& o) {
                return act(globals,
                           "DELETE",
                           path_of(o.name) + (o.force ? "?force=true" : ""),
                           "'" + o.name + "' is gone");
            });
        command->add_flag("--force", options->force, "Also when it is running");
    }
    named("info", "Show a container", [&globals](const NameOptions& o) {
        return container_info(globals, o.name);
    });
    {
        const auto [command, options] =
            named("wait",
                  "Wait until a container is ready, running or stopped",
                  [&globals](const NameOptions& o) { return wait(globals, o); });
        command->add_option("--for", options->wait_for, "ready, running or stopped");
        command->add_option("--timeout", options->timeout, "How long (60s)");
    }
}

} // namespace lodge::cli
