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

/// The client's end of a session, as lib/session describes it, without ever waiting and with little
/// memory: payloads are passed on as they come.
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

    /// Takes what there is and calls `handle` for each part. False: the client has gone or does not
    /// keep to the protocol.
    [[nodiscard]] bool receive(const std::function<void(const Part&)>& handle);
    /// Descriptors that came and were not taken yet.
    [[nodiscard]] std::vector<UniqueFd> take_fds() { return std::exchange(fds_, {}); }

    /// False: the client is gone or does not read. It must be dropped then: part of a frame may be
    /// out.
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
