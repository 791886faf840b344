#include "cli/app.hpp"
#include "cli/exit_code.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lodge::cli {
namespace {

constexpr const char* kDefaultSocket = "/run/lodge/lodged.sock";

// `lodge help`, `lodge help template build`.
void add_help_command(const Registry& registry) {
    const auto words = std::make_shared<std::vector<std::string>>();
    CLI::App* help = registry.add(
        registry.app, "help", "Show what a command does", [&registry, words]() -> Result<int> {
            const CLI::App* shown = &registry.app;
            std::string name = shown->get_name();
            for (const std::string& word : *words) {
                const auto found = shown->get_subcommands(
                    [&word](const CLI::App* command) { return command->get_name() == word; });
                if (found.empty()) {
                    return fail(ErrorCode::invalid_argument, "there is no command '" + word + "'");
                }
                shown = found.front();
                name += " " + word;
            }
            // App::help() would show the command that was parsed, which is this one.
            std::cout << shown->get_formatter()->make_help(shown, name, CLI::AppFormatMode::Normal);
            return 0;
        });
    help->add_option("COMMAND", *words, "The command");
}

// Of a command line that CLI11 could not make sense of, and whose options it therefore did not set.
bool asks_for_json(int argc, char** argv) {
    for (const std::string_view word : std::span(argv, static_cast<std::size_t>(argc))) {
        if (word == "--json" || word == "--") {
            return word == "--json";
        }
    }
    return false;
}

int run(int argc, char** argv) {
    Globals globals;
    const char* from_environment =
        std::getenv("LODGE_SOCKET"); // NOLINT(concurrency-mt-unsafe): one thread
    globals.socket = from_environment != nullptr && *from_environment != '\0' ? from_environment
                                                                              : kDefaultSocket;
    Action chosen;
    CLI::App app("lodge, a manager of system containers", "lodge");
    app.add_option("--socket", globals.socket, "Where lodged listens (LODGE_SOCKET)");
    app.add_flag("--json", globals.json, "Answer in JSON");
    app.add_flag("--quiet", globals.quiet, "No progress, no confirmations");
    app.add_flag("--verbose", globals.verbose, "Tell how an error came about");
    app.set_version_flag("--version", LODGE_VERSION);
    app.require_subcommand(1);
    app.fallthrough(); // global options may follow the command too
    const Registry registry{app, globals, chosen};
    add_create_command(registry);
    add_container_commands(registry);
    add_set_command(registry);
    add_session_commands(registry);
    add_ssh_command(registry);
    add_template_commands(registry);
    add_host_commands(registry);
    add_operation_commands(registry);
    add_recover_command(registry);
    add_help_command(registry);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        const auto rest = app.remaining();
        const bool unknown =
            error.get_name() == "RequiredError" && app.get_subcommands().empty() && !rest.empty();
        const std::string why =
            unknown ? "there is no command '" + rest.front() + "'" : std::string(error.what());
        globals.json = asks_for_json(argc, argv);
        const Error refused(ErrorCode::invalid_argument, why + "; see `lodge help`");
        report(globals, refused);
        return exit_code_of(refused);
    }
    (void)std::signal(SIGPIPE, SIG_IGN);
    const Result<int> outcome = chosen();
    if (!outcome) {
        report(globals, outcome.error());
        return exit_code_of(outcome.error());
    }
    return *outcome;
}

} // namespace
} // namespace lodge::cli

int main(int argc, char** argv) {
    try {
        return lodge::cli::run(argc, argv);
    } catch (const std::exception& error) { // of a library, or want of memory
        (void)std::fprintf(stderr, "lodge: %s\n", error.what());
        return 1;
    }
}
