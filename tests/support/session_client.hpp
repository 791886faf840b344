#pragma once

#include "daemon/runtime/runtime.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/session/session.hpp"

#include <string>
#include <vector>

namespace lodge::test {

struct SessionResult {
    std::int32_t code = -1; ///< of the `exited` frame
    std::string output;
    std::string error_output;
    std::string error; ///< text of an `error` frame
    bool started = false;
};

/// A function that passes `connection` on, once.
[[nodiscard]] daemon::TakeClient give(UniqueFd& connection);

/// Runs a command in a container to its end as the CLI does without a terminal, with `input` on
/// stdin.
[[nodiscard]] Result<SessionResult>
run_in(daemon::Monitor& monitor, const daemon::ExecRequest& request, const std::string& input = {});
/// run_in() of the guest program with these arguments.
[[nodiscard]] Result<SessionResult> run_guest(daemon::Monitor& monitor,
                                              std::vector<std::string> arguments,
                                              const std::string& user = {});

/// A session that a test controls frame by frame.
class OpenSession {
  public:
    static Result<OpenSession> open(daemon::Monitor& monitor, const daemon::ExecRequest& request);
    /// The client's end of a session that somebody else has handed over.
    static OpenSession adopt(UniqueFd socket) { return OpenSession(std::move(socket)); }
    /// Waits for a frame, up to ten seconds.
    [[nodiscard]] Result<session::Frame> next();
    /// next(), which must be of `type`.
    [[nodiscard]] Result<session::Frame> expect(session::FrameType type);
    [[nodiscard]] Status
    send(session::FrameType type, std::string_view payload, std::span<const int> fds = {});
    void hang_up() { socket_.reset(); }
    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    explicit OpenSession(UniqueFd socket) : socket_(std::move(socket)) {}
    UniqueFd socket_;
};

/// Reads from `fd` until `text` has come, for at most ten seconds. Returns the bytes up to its end.
[[nodiscard]] Result<std::string> read_until(int fd, const std::string& text);

/// A connected pair of stream sockets: the client's end, the monitor's end.
[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> make_stream_pair();

} // namespace lodge::test
