#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>

namespace lodge::daemon {

/// The first line of an answer and its fields, up to the empty line.
[[nodiscard]] std::string answer_head(int status, std::string_view fields);
/// A whole answer, a JSON text as its body. The connection ends with it.
[[nodiscard]] std::string answer_text(int status, std::string_view body);
[[nodiscard]] std::string answer_text(const Error& error);

/// Sends as much as the connection takes without a wait, and leaves the rest in `unsent`. True:
/// nothing is left, or the client is gone.
[[nodiscard]] bool send_some(int socket, std::string& unsent);

} // namespace lodge::daemon
