#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace lodge::test {

/// A connection to a unix socket on which a test says what no sound client would.
class RawHttp {
  public:
    explicit RawHttp(const std::string& socket_path);
    /// Sends all; false when the peer closed before it had taken it.
    bool send(std::string_view bytes) const;
    /// No more will come from us.
    void finish() const;
    /// What the peer says until it closes, up to ten seconds; `timeout` when it does not close.
    [[nodiscard]] Result<std::string> answer() const;
    /// The first that the peer says, within ten seconds; empty when it says nothing.
    [[nodiscard]] std::string beginning() const;
    void hang_up() { socket_.reset(); }

  private:
    UniqueFd socket_;
};

} // namespace lodge::test
