#include "cli/chosen.hpp"
#include "cli/hints.hpp"
#include "cli/info_rows.hpp"
#include "cli/output.hpp"
#include "cli/starting.hpp"
#include "lib/base/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <memory>
#include <utility>

#include <string.h>

namespace lodge::cli {

namespace {

using model::Verb;
using nlohmann::json;

struct VerbOptions {
    Chosen chosen;
    bool force = false;
    bool if_needed = false;
    std::string timeout;
    std::string signal = "KILL";
    std::string wait; ///< of `start` and `restart`
    std::string wait_for = "ready";
};

std::string quoted(const std::string& name) {
    return "'" + name + "'";
}

// An operation of the API for one container.
struct Call {
    std::string method;
    std::string path; ///< behind the container's
    std::string done; ///< the report at its end, behind the name
    std::string body = {};
};

ActOnOne act_by(Call call) {
    return [call = std::move(call)](const Globals& globals,
                                    const std::string& name) -> Result<Outcome> {
        ASSIGN_OR_RETURN(
            json operation,
            run_operation(globals, call.method, container_path(name) + call.path, call.body));
        return Outcome{.answer = std::move(operation), .told = quoted(name) + call.done};
    };
}

Result<std::string> stop_body(const VerbOptions& options, const std::string& verb) {
    json body{{"force", options.force}};
    if (!options.timeout.empty()) {
        ASSIGN_OR_RETURN(const std::int64_t milliseconds,
                         of_option(parse_duration_ms(options.timeout), verb + " --timeout"));
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
    std::string name = words;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
    if (name.starts_with("SIG")) {
        name.erase(0, 3);
    }
    for (int candidate = 1; candidate < 32; ++candidate) {
        const char* known = sigabbrev_np(candidate);
        if (known != nullptr && name == known) {
            return candidate;
        }
    }
    return fail(ErrorCode::invalid_argument,
                "'" + words +
                    "' is not a signal; give a name such as TERM or a number from 1 to 64");
}

Result<int> container_info(const Globals& globals, const std::string& name) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", container_path(name)));
    ASSIGN_OR_RETURN(const json one, parse_answer(text));
    if (globals.json) {
        print_json(one);
        return 0;
    }
    print_table(info_rows(one));
    return 0;
}

Result<int> start(const Globals& globals, const VerbOptions& options) {
    RETURN_IF_ERROR(check_awaited(options.wait, "start"));
    const auto act = [&options](const Globals& of_one, const std::string& name) -> Result<Outcome> {
        Outcome outcome;
        if (options.if_needed) {
            ASSIGN_OR_RETURN(outcome, start_if_needed(of_one, name));
        } else {
            ASSIGN_OR_RETURN(
                outcome,
                act_by({.method = "POST", .path = "/start", .done = " is running"})(of_one, name));
        }
        RETURN_IF_ERROR(await(of_one, name, options.wait));
        return outcome;
    };
    return options.chosen.each(globals, {.verb = Verb::start}, act);
}

Result<int> restart(const Globals& globals, const VerbOptions& options) {
    RETURN_IF_ERROR(check_awaited(options.wait, "restart"));
    ASSIGN_OR_RETURN(const std::string body, stop_body(options, "restart"));
    const ActOnOne restarted =
        act_by({.method = "POST", .path = "/restart", .done = " is running", .body = body});
    const auto act = [&](const Globals& of_one, const std::string& name) -> Result<Outcome> {
        ASSIGN_OR_RETURN(Outcome outcome, restarted(of_one, name));
        RETURN_IF_ERROR(await(of_one, name, options.wait));
        return outcome;
    };
    // The rule of `kill`: --all must leave out stopped containers, which a restart would start.
    return options.chosen.each(globals, {.verb = Verb::kill}, act);
}

Result<int> stop(const Globals& globals, const VerbOptions& options) {
    ASSIGN_OR_RETURN(const std::string body, stop_body(options, "stop"));
    return options.chosen.each(
        globals,
        {.verb = Verb::stop},
        act_by({.method = "POST", .path = "/stop", .done = " is stopped", .body = body}));
}

Result<int> kill(const Globals& globals, const VerbOptions& options) {
    ASSIGN_OR_RETURN(const int number, of_option(signal_number(options.signal), "kill --signal"));
    const auto act = [number](const Globals& of_one, const std::string& name) -> Result<Outcome> {
        ASSIGN_OR_RETURN(const std::string text,
                         of_one.client().call("POST",
                                              container_path(name) + "/kill",
                                              json{{"signal", number}}.dump()));
        ASSIGN_OR_RETURN(json answer, parse_answer(text));
        return Outcome{.answer = std::move(answer),
                       .told = quoted(name) + " was sent signal " + std::to_string(number),
                       .told_alone = false};
    };
    return options.chosen.each(globals, {.verb = Verb::kill}, act);
}

Result<int> wait(const Globals& globals, const VerbOptions& options) {
    RETURN_IF_ERROR(check_state_awaited(options.wait_for));
    if (!options.timeout.empty()) {
        RETURN_IF_ERROR(of_option(parse_duration_ms(options.timeout), "wait --timeout"));
    }
    const auto act = [&options](const Globals& of_one, const std::string& name) -> Result<Outcome> {
        ASSIGN_OR_RETURN(
            json answer,
            wait_for(
                of_one, name, options.wait_for, options.timeout.empty() ? "60s" : options.timeout));
        return Outcome{.answer = std::move(answer),
                       .told = quoted(name) + " is " + options.wait_for,
                       .told_alone = false};
    };
    return options.chosen.each(globals, {}, act);
}

Result<int> destroy(const Globals& globals, const VerbOptions& options) {
    Chosen::Rules rules;
    if (!options.force) {
        rules.whole_host = "destroy: --all erases every container of this host: choose some with "
                           "--filter, or mean it with --force";
    }
    return options.chosen.each(
        globals,
        rules,
        act_by(
            {.method = "DELETE", .path = options.force ? "?force=true" : "", .done = " is gone"}));
}

// A command whose operands and options choose containers.
struct Added {
    CLI::App* command;
    std::shared_ptr<VerbOptions> options;
};

Added add_verb(const Registry& registry,
               const std::string& verb,
               const std::string& description,
               Result<int> (*act)(const Globals&, const VerbOptions&)) {
    const auto options = std::make_shared<VerbOptions>();
    CLI::App* command =
        registry.add(registry.app, verb, description, [&globals = registry.globals, options, act] {
            return act(globals, *options);
        });
    options->chosen.add_to(*command);
    return {.command = command, .options = options};
}

void add_awaited(const Added& verb) {
    verb.command->add_option(
        "--wait", verb.options->wait, "Wait until it is running or ready, up to five minutes");
}

void add_stop_options(const Added& verb) {
    verb.command->add_flag("--force,--fast", verb.options->force, "Do not ask it to halt first");
    verb.command->add_option(
        "--timeout",
        verb.options->timeout,
        "How long it may take to halt by itself (default: as lodged is configured)");
}

} // namespace

void add_container_commands(const Registry& registry) {
    const Added starting = add_verb(registry, "start", "Start containers", start);
    starting.command->add_flag(
        "--if-needed", starting.options->if_needed, "It is no error that one runs already");
    add_awaited(starting);
    add_stop_options(add_verb(registry, "stop", "Stop containers", stop));
    const Added restarting = add_verb(registry, "restart", "Stop and start containers", restart);
    add_stop_options(restarting);
    add_awaited(restarting);
    const Added killing =
        add_verb(registry, "kill", "Send a signal to the init of containers", kill);
    killing.command->add_option("--signal", killing.options->signal, "Name or number (KILL)");
    add_verb(registry,
             "freeze",
             "Hold every process of containers where it is",
             [](const Globals& globals, const VerbOptions& options) {
                 return options.chosen.each(
                     globals,
                     {.verb = Verb::freeze},
                     act_by({.method = "POST", .path = "/freeze", .done = " is frozen"}));
             });
    add_verb(registry,
             "thaw",
             "Let frozen containers go on",
             [](const Globals& globals, const VerbOptions& options) {
                 return options.chosen.each(
                     globals,
                     {.verb = Verb::thaw},
                     act_by({.method = "POST", .path = "/thaw", .done = " is running"}));
             });
    const Added destroying =
        add_verb(registry, "destroy", "Erase containers and their disks", destroy);
    destroying.command->add_flag("--force", destroying.options->force, "Also those that run");
    const Added waiting =
        add_verb(registry, "wait", "Wait until containers are ready, running or stopped", wait);
    waiting.command->add_option("--for", waiting.options->wait_for, "ready, running or stopped");
    waiting.command->add_option("--timeout", waiting.options->timeout, "How long (60s)");
}

void add_info_command(const Registry& registry) {
    const auto name = std::make_shared<std::string>();
    registry
        .add(registry.app,
             "info",
             "Show a container",
             [&globals = registry.globals, name] { return container_info(globals, *name); })
        ->add_option("NAME", *name, "The container")
        ->required();
}

} // namespace lodge::cli
