#include "cli/app.hpp"

#include <csignal>
#include <cstdlib>
#include <iostream>

namespace lodge::cli {
namespace {

constexpr const char* kDefaultSocket = "/run/lodge/lodged.sock";

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
    add_session_commands(registry);
    add_ssh_command(registry);
    add_template_commands(registry);
    add_host_commands(registry);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int rc = app.exit(error);
        return rc == 0 ? 0 : 2;
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
    return lodge::cli::run(argc, argv);
}
