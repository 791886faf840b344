#pragma once

#include "cli/app.hpp"

#include <string>

namespace lodge::cli {

/// "there is no command 'strat'; did you mean 'start'?", of those of `app`.
[[nodiscard]] std::string unknown_command(const CLI::App& app, const std::string& word);

/// The sentence for a command line that `app` could not make sense of: it names the command, then
/// the option or operand, says what is missing or too much, and offers what is nearest.
[[nodiscard]] std::string
refusal_of(const Globals& globals, const CLI::App& app, const CLI::ParseError& error);

} // namespace lodge::cli
