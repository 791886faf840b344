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

/// `words` are the words behind the program's name. invalid_argument names the wrong word and the
/// reason. A value is the next word after its option, or follows a '='. It must not be empty, and
/// an option must not be repeated.
[[nodiscard]] Result<CommandLine> parse_command_line(std::span<char* const> words);

/// The text of --help.
[[nodiscard]] std::string usage();

} // namespace lodge::daemon
