#pragma once

#include <string>
#include <vector>

/// What needs a terminal: each is a command of the guest program and returns its exit code.
namespace guest {

/// A shell as small as a test needs: one foreground program at a time in a process group of its
/// own; "exit N" leaves.
int run_shell();
/// Says the terminal's size as "size ROWS COLUMNS", and again after so many changes.
int run_watch_size(const std::vector<std::string>& arguments);

} // namespace guest
