#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

/// Words as they were typed. CLI11 takes a word in brackets for a list and "{}" for an empty one,
/// looks for the value of "--name=" in the next word, and for options among the words of a command
/// that is for somebody else.
namespace lodge::cli {

/// What is no text: a path, or what goes through to another program. It may have any bytes; `type`
/// is what help calls it.
CLI::Option* of_bytes(CLI::Option* option, const std::string& type);

/// The name of an option or positional of which a value is not UTF-8 and should be. Pre: `app` has
/// parsed the command line.
[[nodiscard]] std::optional<std::string> find_broken_text(const CLI::App& app);

/// A text that may be empty, as no other value may.
CLI::Option* maybe_empty(CLI::Option* option);

/// The first option or positional that was given an empty value and must not be; nullptr: none.
/// Pre: `app` has parsed the command line.
[[nodiscard]] const CLI::Option* find_empty(const CLI::App& app);

/// From now on "--flag=VALUE" is refused, whatever VALUE is. Pre: all options are there.
void refuse_values_of_flags(CLI::App& app);

/// A positional that is all words from its first on, whatever they are; a "--" before it is left
/// out. Pre: the command's last positional; prepare_words() went over the command line.
CLI::Option* add_rest(CLI::App& command,
                      const std::string& name,
                      std::vector<std::string>& into,
                      const std::string& description);

/// The positional NAME that is one name or more, with options before, between and behind. Pre: the
/// command's only positional; prepare_words() went over the command line.
CLI::Option*
add_names(CLI::App& command, std::vector<std::string>& into, const std::string& description);

/// An option that may be repeated, with one value each time.
CLI::Option* add_list(CLI::App& command,
                      const std::string& names,
                      std::vector<std::string>& into,
                      const std::string& description);

/// The command line `words`, without the program's name, in the form that `app` is to parse.
[[nodiscard]] std::vector<std::string> prepare_words(const CLI::App& app,
                                                     std::span<char* const> words);

} // namespace lodge::cli
