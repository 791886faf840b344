#include "cli/app.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/refusal.hpp"
#include "cli/words.hpp"
#include "lib/base/standard_streams.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

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
                    return fail(
                        ErrorCode::invalid_argument,
                        (shown == &registry.app ? "" : name.substr(name.find(' ') + 1) + ": ") +
                            unknown_command(*shown, word));
                }
                shown = found.front();
                name += " " + word;
            }
            // App::help() would show the command that was parsed, which is this one.
            std::cout << shown->get_formatter()->make_help(shown, name, CLI::AppFormatMode::Normal);
            return 0;
        });
    add_rest(*help, "COMMAND", *words, "The command");
}

// Whether the command line has --json. For a line that CLI11 could not parse, because it has set no
// options then.
bool asks_for_json(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (word == "--json" || word == "--") {
            return word == "--json";
        }
    }
    return false;
}

// A family's commands, each between blanks.
struct Family {
    void (*add)(const Registry&);
    std::string_view commands;
};
constexpr std::array kFamilies{
    Family{add_create_command, " create "},
    Family{add_container_commands, " start stop restart kill freeze thaw destroy wait "},
    Family{add_info_command, " info "},
    Family{add_list_command, " list "},
    Family{add_set_command, " set "},
    Family{add_session_commands, " exec enter console "},
    Family{add_ssh_command, " ssh known-hosts "},
    Family{add_template_commands, " template "},
    Family{add_host_commands, " host "},
    Family{add_events_command, " events "},
    Family{add_operation_commands, " operation "},
    Family{add_recover_command, " recover "},
    Family{add_help_command, " help "},
};

// The command on the command line, if it is at its usual place; empty: parse with all commands.
std::string_view typed_command(std::span<char* const> words) {
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string_view word = words[at];
        if (word == "--socket") {
            ++at;
        } else if (!word.starts_with('-')) {
            return word;
        }
    }
    return {};
}

// The parser of the command line: with the family of the command `only`, else with all families.
class CommandLine {
  public:
    explicit CommandLine(std::string_view only) {
        const char* from_environment =
            std::getenv("LODGE_SOCKET"); // NOLINT(concurrency-mt-unsafe): one thread
        globals_.socket = from_environment != nullptr && *from_environment != '\0'
                              ? from_environment
                              : kDefaultSocket;
        of_bytes(
            app_.add_option("--socket", globals_.socket, "Where lodged listens (LODGE_SOCKET)"),
            "PATH");
        app_.add_flag("--json", globals_.json, "Answer in JSON");
        app_.add_flag("--quiet", globals_.quiet, "No progress, no confirmations");
        app_.add_flag("--verbose", globals_.verbose, "Tell how an error came about");
        app_.set_version_flag("--version", LODGE_VERSION);
        app_.require_subcommand(1);
        app_.fallthrough(); // global options may follow the command too
        for (const Family& family : kFamilies) {
            if (only.empty() || has(family, only)) {
                family.add(registry_);
            }
        }
        refuse_values_of_flags(app_);
    }
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    static bool has(const Family& family, std::string_view command) {
        return family.commands.find(" " + std::string(command) + " ") != std::string_view::npos;
    }
    void parse(std::span<char* const> words) {
        words_ = prepare_words(app_, words);
        app_.parse(
            std::vector<std::string>(words_.rbegin(), words_.rend())); // CLI11 wants reverse order
        if (const auto name = find_broken_text(app_)) {
            throw CLI::ValidationError(*name, "this is not UTF-8");
        }
        if (const CLI::Option* const empty = find_empty(app_)) {
            if (empty->get_positional()) {
                throw CLI::RequiredError(empty->get_name());
            }
            throw CLI::ArgumentMismatch::TypedAtLeast(empty->get_name(), 1, "VALUE");
        }
    }

    /// The exit code for an exception of parse(): a request for help, or a wrong command line.
    int refuse(const CLI::ParseError& error) {
        if (dynamic_cast<const CLI::Success*>(&error) != nullptr) {
            return app_.exit(error);
        }
        const std::string why = refusal_of(globals_, app_, error);
        globals_.json = asks_for_json(words_);
        const Error refused(ErrorCode::invalid_argument, why);
        report(globals_, refused);
        return exit_code_of(refused);
    }
    /// Pre: parse() has succeeded.
    int act() {
        (void)std::signal(SIGPIPE, SIG_IGN);
        const Result<int> outcome = chosen_();
        if (!outcome) {
            report(globals_, outcome.error());
            return exit_code_of(outcome.error());
        }
        return *outcome;
    }

  private:
    Globals globals_;
    Action chosen_;
    std::vector<std::string> words_;
    CLI::App app_{"lodge, a manager of system containers", "lodge"};
    const Registry registry_{app_, globals_, chosen_};
};

// Declares only the family of the typed command: to declare all of them takes CLI11 longer than
// most commands run.
bool parse_quickly(std::optional<CommandLine>& line, std::span<char* const> words) {
    const std::string_view command = typed_command(words);
    const bool known = std::any_of(kFamilies.begin(), kFamilies.end(), [&](const Family& family) {
        return !command.empty() && CommandLine::has(family, command);
    });
    if (!known || command == "help") {
        return false;
    }
    line.emplace(command);
    try {
        line->parse(words);
    } catch (const CLI::ParseError&) {
        return false; // the full parser reports it
    }
    return true;
}

int run(std::span<char* const> words) {
    std::optional<CommandLine> line;
    if (!parse_quickly(line, words)) {
        line.emplace("");
        try {
            line->parse(words);
        } catch (const CLI::ParseError& error) {
            return line->refuse(error);
        }
    }
    return line->act();
}

// Reports a failed write of stdout: without the error a script would keep an incomplete output.
int finish(int code) {
    const Status written = flush_output();
    if (written) {
        return code;
    }
    report({}, written.error());
    return code != 0 ? code : exit_code_of(written.error());
}

} // namespace
} // namespace lodge::cli

int main(int argc, char** argv) {
    const bool closed = ::fcntl(STDOUT_FILENO, F_GETFD) < 0;
    if (!lodge::fill_standard_streams()) {
        return 1; // stderr may be closed
    }
    try {
        if (closed) {
            lodge::cli::close_output();
        }
        const std::span all(argv, static_cast<std::size_t>(argc));
        return lodge::cli::finish(
            lodge::cli::run(all.subspan(std::min<std::size_t>(1, all.size()))));
    } catch (const std::exception& error) { // of a library, or out of memory
        (void)std::fprintf(stderr, "lodge: %s\n", error.what());
        return 1;
    }
}
