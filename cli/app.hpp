#pragma once

#include "lib/api/client.hpp"
#include "lib/base/error.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

namespace lodge::cli {

/// The options that all commands have.
struct Globals {
    std::string socket;
    bool json = false;
    bool quiet = false;
    bool verbose = false;

    [[nodiscard]] api::Client client() const { return api::Client(socket); }
};

/// The act of the chosen command; its value is the exit code.
using Action = std::function<Result<int>()>;

/// Each command family adds its subcommands to `app`; the subcommand on the command line stores its
/// action in `chosen`.
struct Registry {
    CLI::App& app;
    const Globals& globals;
    Action& chosen;

    /// A subcommand whose callback chooses `action`.
    CLI::App* add(CLI::App& parent,
                  const std::string& name,
                  const std::string& description,
                  Action action) const {
        CLI::App* command = parent.add_subcommand(name, description);
        command->callback([&into = chosen, action = std::move(action)] { into = action; });
        return command;
    }
};

void add_container_commands(const Registry& registry);
void add_info_command(const Registry& registry);
void add_list_command(const Registry& registry);
void add_create_command(const Registry& registry);
void add_set_command(const Registry& registry);
void add_session_commands(const Registry& registry);
void add_ssh_command(const Registry& registry);
void add_template_commands(const Registry& registry);
void add_host_commands(const Registry& registry);
void add_events_command(const Registry& registry);
void add_operation_commands(const Registry& registry);
void add_recover_command(const Registry& registry);

/// One or two lines on stderr, or JSON; the trail with --verbose.
void report(const Globals& globals, const Error& error);

} // namespace lodge::cli
