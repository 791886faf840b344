#pragma once

#include "daemon/api/body.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace lodge::daemon {

/// Largest body of a request, except an archive and the words of a command.
inline constexpr std::size_t kLargestBody = std::size_t{1} << 20;

/// The head of a request. Names of fields are in small letters.
struct RequestHead {
    std::string method;
    std::string target;
    std::string version;
    std::map<std::string, std::string> fields;
};

/// The received part of a request on its connection. Not thread-safe.
class Incoming {
  public:
    explicit Incoming(UniqueFd socket) : socket_(std::move(socket)) {}

    /// Reads the available bytes without waiting. True: the request can be served now. It is whole,
    /// it can no longer become whole, or it is too large to be held.
    [[nodiscard]] bool read();
    /// Waits for more of the body (timeout).
    [[nodiscard]] Status read_on(const Deadline& deadline);

    /// No byte has come.
    [[nodiscard]] bool empty() const { return !began_; }
    /// Set when the head is malformed: there is no request.
    [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }
    [[nodiscard]] const RequestHead& head() const { return head_; }
    /// Whether the body is longer than kLargestBody, or its head says so.
    [[nodiscard]] bool is_too_large() const;
    /// The size in the head or the size that has come, whichever is more.
    [[nodiscard]] std::uint64_t body_size() const;
    /// The error of an incomplete body; success when all of it has come.
    [[nodiscard]] Status whole() const;
    /// The rest of the body may still come.
    [[nodiscard]] bool has_more() const { return is_partial() && !ended_; }
    /// The part of the body that has come; a reader may move it out.
    [[nodiscard]] std::string& content() { return content_; }
    /// Bytes of memory that it holds.
    [[nodiscard]] std::size_t size() const { return raw_.size() + content_.size(); }
    [[nodiscard]] int fd() const { return socket_.get(); }
    /// Passes the connection to the caller.
    [[nodiscard]] UniqueFd take_socket() { return std::move(socket_); }

  private:
    bool receive();
    void advance();
    [[nodiscard]] Status parse_head(const std::string& text);
    [[nodiscard]] Status frame_body();
    [[nodiscard]] bool is_ready() const;
    [[nodiscard]] bool is_partial() const { return body_.state() == BodyDecoder::State::partial; }

    UniqueFd socket_;
    std::string raw_;           ///< not parsed yet
    std::size_t looked_at_ = 0; ///< bytes of raw_ searched for the head's end
    RequestHead head_;
    BodyDecoder body_;
    std::string content_;
    std::uint64_t announced_ = 0; ///< Content-Length
    std::optional<Error> refusal_;
    bool began_ = false;
    bool has_head_ = false;
    bool ended_ = false; ///< nothing more will come
};

} // namespace lodge::daemon
