#include "cli/refusal.hpp"

#include "cli/hints.hpp"
#include "lib/base/likeness.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace lodge::cli {

namespace {

// The deepest known command of the command line, and its words: "template build".
struct Typed {
    const CLI::App* command;
    std::string words;
};

Typed typed_in(const CLI::App& app) {
    Typed typed{.command = &app, .words = {}};
    while (!typed.command->get_subcommands().empty()) {
        typed.command = typed.command->get_subcommands().back();
        typed.words += (typed.words.empty() ? "" : " ") + typed.command->get_name();
    }
    return typed;
}

std::vector<std::string> commands_of(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(one->get_name());
    }
    return names;
}

// General options may follow a command.
std::vector<std::string> options_of(const CLI::App* command) {
    std::vector<std::string> names;
    for (; command != nullptr; command = command->get_parent()) {
        for (const CLI::Option* option : command->get_options()) {
            for (const std::string& name : option->get_lnames()) {
                names.push_back("--" + name);
            }
        }
    }
    return names;
}

std::string joined_words(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

std::string prefix_of(const Typed& typed) {
    return typed.words.empty() ? "" : typed.words + ": ";
}

bool is_like_option(const std::string& word) {
    return word.size() > 1 && word.starts_with('-');
}

// Compares without the dashes, which all options have.
std::string nearest_option(const std::string& name, const CLI::App* command) {
    std::vector<std::string> known = options_of(command);
    for (std::string& one : known) {
        one.erase(0, 2);
    }
    const std::string_view near = nearest(name.substr(name.find_first_not_of('-')), known);
    return near.empty() ? "" : "; did you mean '--" + std::string(near) + "'?";
}

std::string unexpected(const Typed& typed, const std::vector<std::string>& rest) {
    const auto option = std::ranges::find_if(rest, is_like_option);
    if (option == rest.end()) {
        return prefix_of(typed) + "'" + rest.front() + "' is more than it takes";
    }
    const std::string name = option->substr(0, option->find('='));
    return prefix_of(typed) + "there is no option " + name + nearest_option(name, typed.command);
}

std::string no_command(const Typed& typed, const std::vector<std::string>& rest) {
    const auto word = std::ranges::find_if_not(rest, is_like_option);
    if (word != rest.end()) {
        return prefix_of(typed) + unknown_command(*typed.command, *word);
    }
    return rest.empty()
               ? prefix_of(typed) +
                     "a command is missing; there are: " + joined_words(commands_of(*typed.command))
               : unexpected(typed, rest);
}

// Values for a missing operand. None for the name of an object to be made, which the user chooses.
std::string there_might_be(const Globals& globals, const Typed& typed, const std::string& why) {
    if (why.starts_with("DEFINITION ")) {
        return there_are(globals, "/v1/template-definitions");
    }
    if (why.starts_with("ID ")) {
        return operations_on_their_way(globals);
    }
    if (!why.starts_with("NAME ") || typed.words == "template import") {
        return {};
    }
    const bool of_template = typed.words.starts_with("template ");
    return there_are(globals, of_template ? "/v1/templates" : "/v1/containers?fields=name");
}

// The text of CLI11 begins with the option's name; for a flag, without the dashes.
std::string mismatch(const std::string& why) {
    const std::string option = why.substr(0, why.find_first_of(": "));
    if (why.find("override") != std::string::npos) {
        const char* const dashes = option.starts_with('-') ? "" : option.size() > 1 ? "--" : "-";
        return dashes + option + " takes no value";
    }
    return option + (why.find("At Most") != std::string::npos ? " is given more than once"
                                                              : " needs a value");
}

std::string sentence_of(const Globals& globals,
                        const Typed& typed,
                        const std::vector<std::string>& rest,
                        const CLI::ParseError& error) {
    const std::string kind = error.get_name();
    if (kind == "RequiredError" && typed.command->get_require_subcommand_min() > 0) {
        return no_command(typed, rest);
    }
    const bool unknown = std::ranges::any_of(rest, is_like_option);
    // Only for this kind of error the name is that of the command.
    const bool extra = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty();
    if (extra || (kind == "RequiredError" && unknown)) {
        return unexpected(typed, rest);
    }
    std::string why = error.what();
    if (kind == "ArgumentMismatch") {
        why = mismatch(why);
    } else if (kind == "RequiredError") {
        why += there_might_be(globals, typed, why);
    } else if (kind == "ExcludesError") {
        why.replace(why.find(" excludes "), std::string(" excludes ").size(), " and ");
        why += " exclude each other";
    }
    return prefix_of(typed) + why;
}

// The same verb in other products' words.
struct Elsewhere {
    std::string_view word;
    std::string_view command;
};
constexpr std::array kElsewhere{Elsewhere{"ls", "list"},        Elsewhere{"ps", "list"},
                                Elsewhere{"rm", "destroy"},     Elsewhere{"rm", "remove"},
                                Elsewhere{"delete", "destroy"}, Elsewhere{"delete", "remove"},
                                Elsewhere{"destroy", "remove"}, Elsewhere{"launch", "create"},
                                Elsewhere{"create", "build"},   Elsewhere{"run", "exec"},
                                Elsewhere{"shell", "enter"},    Elsewhere{"attach", "console"},
                                Elsewhere{"log", "console"},    Elsewhere{"logs", "console"},
                                Elsewhere{"status", "info"},    Elsewhere{"show", "info"},
                                Elsewhere{"suspend", "freeze"}, Elsewhere{"pause", "freeze"},
                                Elsewhere{"resume", "thaw"},    Elsewhere{"unpause", "thaw"},
                                Elsewhere{"unfreeze", "thaw"},  Elsewhere{"reboot", "restart"},
                                Elsewhere{"shutdown", "stop"},  Elsewhere{"config", "set"},
                                Elsewhere{"image", "template"}, Elsewhere{"images", "template"},
                                Elsewhere{"monitor", "events"}};

} // namespace

std::string unknown_command(const CLI::App& app, const std::string& word) {
    const std::vector<std::string> known = commands_of(app);
    const std::string no_such = "there is no command '" + word + "'";
    for (const Elsewhere& one : kElsewhere) {
        if (one.word == word && std::ranges::find(known, one.command) != known.end()) {
            return no_such + "; did you mean '" + std::string(one.command) + "'?";
        }
    }
    const std::string meant = did_you_mean(word, known);
    return no_such + (meant.empty() && app.get_parent() != nullptr
                          ? "; there are: " + joined_words(known)
                          : meant);
}

std::string refusal_of(const Globals& globals, const CLI::App& app, const CLI::ParseError& error) {
    const Typed typed = typed_in(app);
    const std::string why = sentence_of(globals, typed, app.remaining(true), error);
    return why.ends_with('?')
               ? why
               : why + "; see `lodge help" + (typed.words.empty() ? "" : " ") + typed.words + "`";
}

} // namespace lodge::cli
