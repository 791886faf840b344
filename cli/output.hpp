#pragma once

#include "cli/app.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace lodge::cli {

/// Parses an answer of the daemon.
[[nodiscard]] Result<nlohmann::json> parse_answer(const std::string& text);
/// The answer to a request about the effect of an earlier one. `unreachable` becomes broke_off():
/// lodged ended after it took the earlier request, which it has carried out or will carry out.
template <typename T>
[[nodiscard]] Result<T> of_same_daemon(Result<T> answer) {
    if (!answer && answer.error().code() == ErrorCode::unreachable) {
        return std::unexpected<Error>(api::broke_off());
    }
    return answer;
}
/// Flushes stdout; fails when a part of the output could not be written. A reader that closed its
/// end is no error.
[[nodiscard]] Status flush_output();
/// For a closed stdout: makes all later output fail.
void close_output();
/// Indented JSON and a line break on stdout, without control characters for a terminal.
void print_json(const nlohmann::json& json);
/// The same for the answer `text`. It may list thousands of containers, so this does not parse it.
[[nodiscard]] Status print_list(const std::string& text);
/// Prints lines from an untrusted source on stdout: through printable() to a terminal, unchanged to
/// a file or a pipe.
[[nodiscard]] Status print_text(const std::string& text);
/// A table with columns as wide as their widest cell. The first row has the headings.
void print_table(const std::vector<std::vector<std::string>>& rows);
/// A line for each key with its cell_of(); "-" means unknown or empty.
void print_object(const nlohmann::json& object);
/// `what` on stderr, unless --quiet or --json.
void confirm(const Globals& globals, const std::string& what);

/// An error on stderr, `prefix` before its sentence; the trail with --verbose.
void tell_error(const Globals& globals, const Error& error, const std::string& prefix = {});

/// The warnings of an operation on stderr, also with --quiet and --json.
void show_warnings(const nlohmann::json& operation);

/// Begins an operation (POST or DELETE of `path`), shows its step and a clock on stderr when that
/// is a terminal, waits for its end and shows its warnings. A SIGINT meanwhile ends the command,
/// which then reports how the operation continues (Underway). Returns the operation as JSON.
[[nodiscard]] Result<nlohmann::json> run_operation(const Globals& globals,
                                                   const std::string& method,
                                                   const std::string& path,
                                                   const std::string& body = {});

/// A name as a part of a path.
[[nodiscard]] std::string escaped(const std::string& name);
/// A container's path in the API.
[[nodiscard]] std::string container_path(const std::string& name);

} // namespace lodge::cli
