#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

/// Options and operands whose words are taken as typed. CLI11 alone reads a word in brackets as a
/// list and "{}" as an empty one. It reads the value of "--name=" from the next word, and it reads
/// options from the words of a command for the container.
namespace lodge::cli {

/// A value that is not a text: a path, or a word for another program. It may have any bytes. `type`
/// is its name in the help.
CLI::Option* of_bytes(CLI::Option* option, const std::string& type);

/// The name of an option or positional that has a value that must be UTF-8 and is not. Pre: `app`
/// has parsed the command line.
[[nodiscard]] std::optional<std::string> find_broken_text(const CLI::App& app);

/// Permits an empty text. No other value may be empty.
CLI::Option* maybe_empty(CLI::Option* option);

/// The first option or positional that has an empty value and does not permit it; nullptr: none.
/// Pre: `app` has parsed the command line.
[[nodiscard]] const CLI::Option* find_empty(const CLI::App& app);

/// Makes "--flag=VALUE" an error for each VALUE. Pre: all options are declared.
void refuse_values_of_flags(CLI::App& app);

/// A positional that takes its first word and all words behind it, of any form. A "--" before it is
/// left out. Pre: the command's last positional; prepare_words() went over the command line.
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

/// The command line `words`, without the program's name, in the form for the parser `app`.
[[nodiscard]] std::vector<std::string> prepare_words(const CLI::App& app,
                                                     std::span<char* const> words);

} // namespace lodge::cli
