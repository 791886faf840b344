#include "cli/words.hpp"

#include "lib/base/utf8.hpp"

#include <algorithm>

namespace lodge::cli {

namespace {

// A prefix for each word of add_rest(), so that CLI11 takes the word for neither an option nor a
// list.
constexpr char kMark = '=';

// CLI11's name for the type of a string.
constexpr const char* kText = "TEXT";

constexpr const char* kMaybeText = "[TEXT]";

// The name of the operands of add_names().
constexpr const char* kNames = "NAME";

std::string unmarked(const std::string& word) {
    return word.starts_with(kMark) ? word.substr(1) : word;
}

CLI::Option* add_texts(CLI::App& command,
                       const std::string& names,
                       CLI::callback_t take,
                       const std::string& description) {
    return command.add_option(names, std::move(take), description)
        ->type_name(kText)
        ->expected(CLI::detail::expected_max_vector_size);
}

bool is_many(const CLI::Option& option) {
    return option.get_positional() && option.get_allow_extra_args();
}

bool is_rest(const CLI::Option& option) {
    return is_many(option) && option.get_name() != kNames;
}

bool takes_names(const CLI::App& command) {
    const auto options = command.get_options();
    return std::any_of(options.begin(), options.end(), [](const auto* option) {
        return is_many(*option) && !is_rest(*option);
    });
}

// The number of operands before the rest; -1: the command has no rest.
int operands_before_rest(const CLI::App& command) {
    const auto options = command.get_options();
    if (std::none_of(
            options.begin(), options.end(), [](const auto* option) { return is_rest(*option); })) {
        return -1;
    }
    return static_cast<int>(std::count_if(options.begin(), options.end(), [](const auto* option) {
        return option->get_positional() && !is_rest(*option);
    }));
}

// General options may follow the command.
bool takes_value(const CLI::App& command, const std::string& name) {
    for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
        if (const CLI::Option* option = app->get_option_no_throw(name)) {
            return option->get_items_expected_max() > 0;
        }
    }
    return false;
}

// Whether the next word is the value of the option `word`: one of the forms "-t", "-tu", "-uroot",
// "--user".
bool takes_next_word(const CLI::App& command, const std::string& word) {
    if (word.starts_with("--")) {
        return takes_value(command, word);
    }
    std::size_t at = 1;
    while (at < word.size() && !takes_value(command, std::string{'-', word[at]})) {
        ++at;
    }
    return at + 1 == word.size();
}

bool is_option(const std::string& word) {
    return word.size() > 1 && word.starts_with('-') && word != "--";
}

const CLI::App* find_command(const CLI::App& app, const std::string& word) {
    const auto found = app.get_subcommands(
        [&word](const CLI::App* command) { return command->get_name() == word; });
    return found.empty() ? nullptr : found.front();
}

bool is_broken(const CLI::Option& option) {
    const CLI::results_t& words = option.results();
    const bool text = option.get_type_name() == kText || option.get_type_name() == kMaybeText;
    return text && !std::all_of(words.begin(), words.end(), is_utf8);
}

bool is_empty(const CLI::Option& option) {
    const std::string empty = is_many(option) ? std::string(1, kMark) : std::string();
    return !is_rest(option) && option.get_type_name() != kMaybeText &&
           std::ranges::any_of(option.results(), [&](const auto& word) { return word == empty; });
}

} // namespace

CLI::Option* of_bytes(CLI::Option* option, const std::string& type) {
    return option->type_name(type);
}

std::optional<std::string> find_broken_text(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
        if (is_broken(*option)) {
            return option->get_name();
        }
    }
    for (const CLI::App* command : app.get_subcommands()) {
        if (auto name = find_broken_text(*command)) {
            return name;
        }
    }
    return std::nullopt;
}

CLI::Option* maybe_empty(CLI::Option* option) {
    return option->type_name(kMaybeText);
}

const CLI::Option* find_empty(const CLI::App& app) { // NOLINT(misc-no-recursion): two levels
    for (const CLI::Option* option : app.get_options()) {
        if (is_empty(*option)) {
            return option;
        }
    }
    for (const CLI::App* command : app.get_subcommands()) {
        if (const CLI::Option* option = find_empty(*command)) {
            return option;
        }
    }
    return nullptr;
}

void refuse_values_of_flags(CLI::App& app) { // NOLINT(misc-no-recursion): two levels
    for (CLI::Option* option : app.get_options(
             [](const CLI::Option* one) { return one->get_items_expected_max() == 0; })) {
        option->disable_flag_override();
    }
    for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        refuse_values_of_flags(*command);
    }
}

CLI::Option* add_rest(CLI::App& command,
                      const std::string& name,
                      std::vector<std::string>& into,
                      const std::string& description) {
    // prepare_words() has marked the words.
    return add_texts(
        command,
        name,
        [&into](const CLI::results_t& words) {
            into.clear();
            std::transform(words.begin(), words.end(), std::back_inserter(into), unmarked);
            return true;
        },
        description);
}

CLI::Option*
add_names(CLI::App& command, std::vector<std::string>& into, const std::string& description) {
    return add_rest(command, kNames, into, description);
}

CLI::Option* add_list(CLI::App& command,
                      const std::string& names,
                      std::vector<std::string>& into,
                      const std::string& description) {
    return add_texts(
               command,
               names,
               [&into](const CLI::results_t& words) {
                   into = words;
                   return true;
               },
               description)
        ->allow_extra_args(false);
}

std::vector<std::string> prepare_words(const CLI::App& app, std::span<char* const> words) {
    std::vector<std::string> prepared;
    const CLI::App* command = &app;
    int operands = 0;
    bool only_operands = false; // behind a "--"
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string word = words[at];
        const bool before_rest = operands == operands_before_rest(*command);
        if (is_option(word) && !only_operands) {
            const std::string name = word.substr(0, word.size() - 1);
            if (word.find('=') == word.size() - 1 && takes_value(*command, name)) {
                prepared.insert(prepared.end(), {name, ""});
                continue;
            }
            prepared.push_back(word);
            if (takes_next_word(*command, word) && at + 1 < words.size()) {
                prepared.emplace_back(words[++at]);
            }
        } else if (before_rest) {
            for (std::size_t next = word == "--" ? at + 1 : at; next < words.size(); ++next) {
                prepared.push_back(kMark + std::string(words[next]));
            }
            break;
        } else {
            const CLI::App* found = operands == 0 ? find_command(*command, word) : nullptr;
            const bool is_operand = only_operands || (word != "--" && found == nullptr);
            const bool marked = takes_names(*command);
            // Leaves out "--" before marked words: they do not need it, and behind it CLI11 would
            // take only one word.
            if (is_operand || !marked) {
                prepared.push_back(is_operand && marked ? kMark + word : word);
            }
            if (is_operand) {
                ++operands;
            } else if (found != nullptr) {
                command = found;
            } else {
                only_operands = true;
            }
        }
    }
    return prepared;
}

} // namespace lodge::cli
