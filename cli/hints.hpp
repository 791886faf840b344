#pragma once

#include "cli/app.hpp"
#include "lib/base/error.hpp"

#include <string>
#include <utility>

/// What errors of a command line say beside what is wrong.
namespace lodge::cli {

/// "; there are: web1, web2 and 7 more": the names in the API's list at `path`, a few of them. ""
/// when lodged cannot be asked.
[[nodiscard]] std::string there_are(const Globals& globals, const std::string& path);

/// The same of operations that can be cancelled, each with what it is.
[[nodiscard]] std::string operations_on_their_way(const Globals& globals);

/// An error of a value names the verb and the option that had it: "stop --timeout".
template <typename T>
[[nodiscard]] Result<T> of_option(Result<T> value, const std::string& verb_and_option) {
    if (!value) {
        return fail(value.error().code(), verb_and_option + ": " + value.error().message());
    }
    return value;
}

} // namespace lodge::cli
