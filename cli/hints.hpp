#pragma once

#include "cli/app.hpp"
#include "lib/base/error.hpp"

#include <string>
#include <utility>

/// Hints for errors of a command line.
namespace lodge::cli {

/// "; there are: web1, web2 and 7 more": the first few names in the API's list at `path`. "" when
/// lodged does not answer.
[[nodiscard]] std::string there_are(const Globals& globals, const std::string& path);

/// The same for operations that can be cancelled, each with its verb and subject.
[[nodiscard]] std::string operations_on_their_way(const Globals& globals);

/// Adds the verb and the option of a value to its error: "stop --timeout".
template <typename T>
[[nodiscard]] Result<T> of_option(Result<T> value, const std::string& verb_and_option) {
    if (!value) {
        return fail(value.error().code(), verb_and_option + ": " + value.error().message());
    }
    return value;
}

} // namespace lodge::cli
