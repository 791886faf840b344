#pragma once

#include "cli/app.hpp"

#include <string>

namespace lodge::cli {

/// "there is no command 'strat'; did you mean 'start'?", for the commands of `app`.
[[nodiscard]] std::string unknown_command(const CLI::App& app, const std::string& word);

/// The message for a command line that `app` could not parse. It names the command and the option
/// or operand, says whether a word is missing or unexpected, and suggests the most similar one.
[[nodiscard]] std::string
refusal_of(const Globals& globals, const CLI::App& app, const CLI::ParseError& error);

} // namespace lodge::cli
