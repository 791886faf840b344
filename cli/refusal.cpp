#include "cli/refusal.hpp"

#include "cli/hints.hpp"
#include "lib/base/likeness.hpp"

#include <algorithm>
#include <vector>

namespace lodge::cli {

namespace {

// The command that was typed, as deep as it is known, and its words: "template build".
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

std::string no_command(const Typed& typed, const std::vector<std::string>& rest) {
    const std::string of = typed.words.empty() ? "" : typed.words + ": ";
    const auto word =
        std::ranges::find_if(rest, [](const std::string& one) { return !one.starts_with('-'); });
    if (word == rest.end()) {
        return of + "a command is missing; there are: " + joined_words(commands_of(*typed.command));
    }
    return of + unknown_command(*typed.command, *word);
}

std::string unexpected(const Typed& typed, const std::vector<std::string>& rest) {
    const std::string of = typed.words.empty() ? "" : typed.words + ": ";
    const auto option = std::ranges::find_if(
        rest, [](const std::string& one) { return one.size() > 1 && one.starts_with('-'); });
    if (option == rest.end()) {
        return of + "'" + rest.front() + "' is more than it takes";
    }
    const std::string name = option->substr(0, option->find('='));
    return of + "there is no option " + name + did_you_mean(name, options_of(typed.command));
}

// What might stand where the operand is missing. The name of what is to be made is anybody's.
std::string there_might_be(const Globals& globals, const Typed& typed, const std::string& why) {
    if (why.starts_with("DEFINITION ")) {
        return there_are(globals, "/v1/template-definitions");
    }
    if (!why.starts_with("NAME ") || typed.words == "template import") {
        return {};
    }
    const bool of_template = typed.words.starts_with("template ");
    return there_are(globals, of_template ? "/v1/templates" : "/v1/containers?fields=name");
}

} // namespace

std::string unknown_command(const CLI::App& app, const std::string& word) {
    return "there is no command '" + word + "'" + did_you_mean(word, commands_of(app));
}

std::string refusal_of(const Globals& globals, const CLI::App& app, const CLI::ParseError& error) {
    const Typed typed = typed_in(app);
    std::vector<std::string> rest = app.remaining(true);
    const std::string kind = error.get_name();
    if (kind == "RequiredError" && typed.command->get_require_subcommand_min() > 0) {
        return no_command(typed, rest);
    }
    // Of this kind, and no other, the name is the command's.
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty()) {
        return unexpected(typed, rest);
    }
    std::string why = error.what();
    if (kind == "ArgumentMismatch") {
        why = why.substr(0, why.find(':')) + " needs a value";
    } else if (kind == "RequiredError") {
        why += there_might_be(globals, typed, why);
    }
    return typed.words.empty() ? why : typed.words + ": " + why;
}

} // namespace lodge::cli
