#pragma once

#include "cli/app.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace lodge::cli {

/// Parses an answer of the daemon.
[[nodiscard]] Result<nlohmann::json> parse_answer(const std::string& text);
/// An answer to a look at what an earlier request changed: a lodged that has gone since is told as
/// one that broke off, since it did what it was asked for, or will.
template <typename T>
[[nodiscard]] Result<T> of_same_daemon(Result<T> answer) {
    if (!answer && answer.error().code() == ErrorCode::unreachable) {
        return std::unexpected<Error>(api::broke_off());
    }
    return answer;
}
/// Writes out what stdout still holds; fails when some of what was printed could not be written. A
/// reader who has gone is no failure.
[[nodiscard]] Status flush_output();
/// Stdout is closed: what is printed from now on cannot be written.
void close_output();
/// Indented JSON and a line break on stdout, nothing in it that a terminal would obey.
void print_json(const nlohmann::json& json);
/// The same of the answer `text`, which may be of thousands: nothing of it is kept.
[[nodiscard]] Status print_list(const std::string& text);
/// Lines that others chose, on stdout: to a terminal printable() ones, to a file or a pipe as they
/// came.
[[nodiscard]] Status print_text(const std::string& text);
/// Columns as wide as their widest cell, the first row being the headings.
void print_table(const std::vector<std::vector<std::string>>& rows);
/// A line for each key with its cell_of(), "-" for what is not known or empty.
void print_object(const nlohmann::json& object);
/// "what" on stderr unless --quiet or --json.
void confirm(const Globals& globals, const std::string& what);

/// An error on stderr, `prefix` before its sentence; the trail with --verbose.
void tell_error(const Globals& globals, const Error& error, const std::string& prefix = {});

/// What an operation warns of, on stderr, also with --quiet and --json.
void show_warnings(const nlohmann::json& operation);

/// Begins an operation (POST or DELETE of `path`), shows its step and a clock on stderr when that
/// is a terminal, and waits for its end, showing what it warns of. A SIGINT meanwhile ends the
/// command with a word about it (Underway). The operation as JSON.
[[nodiscard]] Result<nlohmann::json> run_operation(const Globals& globals,
                                                   const std::string& method,
                                                   const std::string& path,
                                                   const std::string& body = {});

/// A name as a part of a path.
[[nodiscard]] std::string escaped(const std::string& name);
/// A container's path in the API.
[[nodiscard]] std::string container_path(const std::string& name);

} // namespace lodge::cli
