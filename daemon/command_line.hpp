#pragma once

#include "lib/base/error.hpp"

#include <span>
#include <string>

namespace lodge::daemon {

/// lodged's own command line. An empty text: the option was not given.
struct CommandLine {
    std::string config;
    std::string state_directory;
    std::string run_directory;
    std::string socket;
    bool foreground = false;
    bool recover = false;
    bool clean_host = false;
    bool help = false;
    bool version = false;
};

/// `words` are those behind the program's name. invalid_argument says what is wrong with which of
/// them. A value stands behind its option as a word of its own or behind a '='; it is not empty,
/// and an option is given once.
[[nodiscard]] Result<CommandLine> parse_command_line(std::span<char* const> words);

/// What --help prints.
[[nodiscard]] std::string usage();

} // namespace lodge::daemon
