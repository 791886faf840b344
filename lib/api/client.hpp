#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <functional>
#include <istream>
#include <string>

namespace lodge::api {

/// The error for a caller whose daemon ended during a call.
[[nodiscard]] Error broke_off();

/// Talks to lodged over its unix socket, one connection per call. Errors of the daemon arrive
/// unchanged. not_found without a socket, permission_denied when the caller may not use it.
class Client {
  public:
    explicit Client(std::string socket_path) : socket_path_(std::move(socket_path)) {}

    /// The body of a 2xx answer. `body` is sent as JSON when not empty.
    [[nodiscard]] Result<std::string>
    call(const std::string& method, const std::string& path, const std::string& body = {}) const;
    /// Sends `content` as the body, in chunks.
    [[nodiscard]] Result<std::string> upload(const std::string& path, std::istream& content) const;
    /// Calls `line` for every line of a streamed answer until it returns false. unreachable when
    /// lodged ends the answer before that.
    [[nodiscard]] Status stream(const std::string& path,
                                const std::function<bool(const std::string& text)>& line) const;
    /// Begins a session (lib/session). Returns the connection; no byte behind the 101 has been read
    /// from it.
    [[nodiscard]] Result<UniqueFd> upgrade(const std::string& path, const std::string& body) const;

  private:
    std::string socket_path_;
};

} // namespace lodge::api
