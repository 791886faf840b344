#pragma once

#include <CLI/CLI.hpp>

#include <span>
#include <string>
#include <vector>

/// Words as they were typed. CLI11 takes a word in brackets for a list and "{}" for an empty one,
/// looks for the value of "--name=" in the next word, and for options among the words of a command
/// that is for somebody else.
namespace lodge::cli {

/// A positional that is all words from its first on, whatever they are; a "--" before it is left
/// out. Pre: the command's last positional; prepare_words() went over the command line.
CLI::Option* add_rest(CLI::App& command,
                      const std::string& name,
                      std::vector<std::string>& into,
                      const std::string& description);

/// An option that may be repeated, with one value each time.
CLI::Option* add_list(CLI::App& command,
                      const std::string& names,
                      std::vector<std::string>& into,
                      const std::string& description);

/// The command line `words`, without the program's name, in the form that `app` is to parse.
[[nodiscard]] std::vector<std::string> prepare_words(const CLI::App& app,
                                                     std::span<char* const> words);

} // namespace lodge::cli
