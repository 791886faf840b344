#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace lodge::test {

/// A connection to a unix socket, for bytes that a correct client would not send.
class RawHttp {
  public:
    explicit RawHttp(const std::string& socket_path);
    /// Sends all bytes; false when the peer closed before it read them.
    bool send(std::string_view bytes) const;
    /// Ends our side of the stream.
    void finish() const;
    /// The bytes of the peer until it closes, for up to ten seconds; `timeout` when it does not
    /// close.
    [[nodiscard]] Result<std::string> answer() const;
    /// The first bytes of the peer, within ten seconds; empty when it sends none.
    [[nodiscard]] std::string beginning() const;
    void hang_up() { socket_.reset(); }

  private:
    UniqueFd socket_;
};

} // namespace lodge::test
