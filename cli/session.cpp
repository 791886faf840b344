#include "cli/attach.hpp"
#include "cli/output.hpp"
#include "cli/terminal.hpp"
#include "cli/words.hpp"
#include "lib/api/json.hpp"
#include "lib/base/printable.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include <unistd.h>

namespace lodge::cli {

namespace {

using nlohmann::json;

struct SessionOptions {
    std::string name;
    std::vector<std::string> environment;
    std::string user;
    std::string directory;
    bool terminal = false;
    bool no_terminal = false;
    bool with_input = true; // the default, for -i
    bool without_input = false;
    std::vector<std::string> command;
};

// Passes on TERM, because only our environment knows the type of the terminal.
std::vector<std::string> environment_of(const SessionOptions& options, bool terminal) {
    std::vector<std::string> environment = options.environment;
    const char* type = std::getenv("TERM"); // NOLINT(concurrency-mt-unsafe): one thread
    const bool given =
        std::any_of(environment.begin(), environment.end(), [](const std::string& entry) {
            return entry.starts_with("TERM=");
        });
    if (terminal && !given && type != nullptr && *type != '\0') {
        environment.push_back(std::string("TERM=") + type);
    }
    return environment;
}

json words_of(const std::vector<std::string>& words) {
    json list = json::array();
    for (const std::string& word : words) {
        list.push_back(api::to_json_bytes(word));
    }
    return list;
}

Status check_environment(const std::vector<std::string>& entries, const std::string& option) {
    for (const std::string& entry : entries) {
        if (const std::size_t sign = entry.find('='); sign == std::string::npos || sign == 0) {
            return fail(ErrorCode::invalid_argument,
                        option + ": '" + entry + "' is not of the form KEY=VALUE");
        }
    }
    return {};
}

Result<int> exec(const Globals& globals, const SessionOptions& options, bool login_shell) {
    RETURN_IF_ERROR(
        check_environment(options.environment, login_shell ? "enter --env" : "exec --env"));
    const bool terminal =
        !options.no_terminal && (options.terminal || (login_shell && ::isatty(STDIN_FILENO) == 1));
    json request{{"terminal", terminal},
                 {"environment", words_of(environment_of(options, terminal))}};
    if (login_shell) {
        request["login_shell"] = true;
    } else {
        request["argv"] = words_of(options.command);
    }
    if (!options.user.empty()) {
        request["user"] = options.user;
    }
    if (!options.directory.empty()) {
        request["directory"] = api::to_json_bytes(options.directory);
    }
    if (terminal) {
        const WindowSize size = window_size(STDIN_FILENO);
        request["rows"] = size.rows;
        request["columns"] = size.columns;
    }
    ASSIGN_OR_RETURN(
        const UniqueFd connection,
        globals.client().upgrade(container_path(options.name) + "/exec", request.dump()));
    return terminal ? run_terminal(connection) : run_piped(connection, options.without_input);
}

Result<int> console(const Globals& globals, const SessionOptions& options, bool log) {
    const std::string path = container_path(options.name);
    if (log) {
        ASSIGN_OR_RETURN(const std::string text,
                         globals.client().call("GET", path + "/console-log"));
        ASSIGN_OR_RETURN(const json answer, parse_answer(text));
        if (globals.json) {
            print_json(answer);
            return 0;
        }
        RETURN_IF_ERROR(
            with_context(print_text(answer.value("log", "")), "write to standard output"));
        return 0;
    }
    ASSIGN_OR_RETURN(const UniqueFd connection, globals.client().upgrade(path + "/console", ""));
    return run_console(connection, [&] {
        if (!globals.quiet && !globals.json) {
            const std::string end = ::isatty(STDIN_FILENO) == 1 ? "\r\n" : "\n"; // raw mode
            std::cerr << end + "Connected to the console of '" + printable(options.name) +
                             "'; leave it with Ctrl-]" + end
                      << std::flush;
        }
    });
}

} // namespace

void add_session_commands(const Registry& registry) {
    const Globals& globals = registry.globals;
    const auto options = std::make_shared<SessionOptions>();
    CLI::App* executing =
        registry.add(registry.app, "exec", "Run a command in a container", [&globals, options] {
            return exec(globals, *options, false);
        });
    CLI::App* entering = registry.add(
        registry.app, "enter", "Open a login shell in a container", [&globals, options] {
            return exec(globals, *options, true);
        });
    for (CLI::App* command : {executing, entering}) {
        command->add_option("NAME", options->name, "The container")->required();
        of_bytes(add_list(*command, "--env,-e", options->environment, "For the command"),
                 "KEY=VALUE");
        command->add_option("--user,-u", options->user, "Name or number inside (root)");
        of_bytes(command->add_option(
                     "--cwd", options->directory, "Directory to start in (the user's home)"),
                 "PATH");
        command->add_flag("-T,--no-tty", options->no_terminal, "No terminal");
    }
    CLI::Option* terminal = executing->add_flag("-t,--tty", options->terminal, "With a terminal");
    CLI::Option* interactive = executing->add_flag(
        "-i,--interactive", options->with_input, "Pass stdin on, as without it");
    executing->add_flag("-n,--no-stdin", options->without_input, "Nothing from stdin")
        ->excludes(terminal)
        ->excludes(interactive);
    of_bytes(
        add_rest(
            *executing, "COMMAND", options->command, "The command and its arguments, all words"),
        "WORD")
        ->required();
    const auto log = std::make_shared<bool>(false);
    CLI::App* watching = registry.add(
        registry.app, "console", "Attach to a container's console", [&globals, options, log] {
            return console(globals, *options, *log);
        });
    watching->add_option("NAME", options->name, "The container")->required();
    watching->add_flag("--log", *log, "Print what was kept of it and return");
}

} // namespace lodge::cli
