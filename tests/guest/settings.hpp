#pragma once

#include <string>
#include <vector>

/// What a tenant can do to the settings of a kernel and read of its files: each is a command of the
/// guest program and returns its exit code.
namespace guest {

/// Lists the files below a directory that open for writing, and writes nothing.
int run_list_settings(const std::vector<std::string>& arguments);
/// Gives each of them another value and lists those that took it. What it does to the container is
/// not undone.
int run_change_settings(const std::vector<std::string>& arguments);
/// Reads every file below a directory and lists those that hold one of the words behind it, in
/// their content, their name or what they link to.
int run_search(const std::vector<std::string>& arguments);

} // namespace guest
