#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/session/session.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace lodge::monitor {

/// A session's connection to its client (lib/session). It never waits and takes little memory: it
/// passes payloads on as they come.
class Client {
  public:
    /// Part of a frame's payload. Frames other than terminal_data come whole.
    struct Part {
        session::FrameType type{};
        std::string_view bytes;
    };
    /// Makes the connection non-blocking.
    explicit Client(UniqueFd connection);

    [[nodiscard]] int fd() const { return connection_.get(); }
    [[nodiscard]] bool open() const { return connection_.valid(); }
    void close() { connection_.reset(); }

    /// Reads the available bytes and calls `handle` for each part. False: the client is gone or
    /// violates the protocol.
    [[nodiscard]] bool receive(const std::function<void(const Part&)>& handle);
    /// The received descriptors. The caller becomes their owner.
    [[nodiscard]] std::vector<UniqueFd> take_fds() { return std::exchange(fds_, {}); }

    /// False: the client is gone or does not read. Drop it then: a part of the frame may be sent.
    [[nodiscard]] bool
    send(session::FrameType type, std::string_view payload, std::span<const int> fds = {});
    [[nodiscard]] bool send_error(const Error& error);
    [[nodiscard]] bool send_exited(std::int32_t code);

  private:
    [[nodiscard]] bool take(std::string_view bytes, const std::function<void(const Part&)>& handle);

    UniqueFd connection_;
    std::vector<UniqueFd> fds_;
    std::array<char, sizeof(session::FrameHeader) + 16> pending_{}; ///< header and a small payload
    std::size_t pending_size_ = 0;
    std::uint32_t streaming_ = 0; ///< bytes of terminal_data still to come
};

} // namespace lodge::monitor
