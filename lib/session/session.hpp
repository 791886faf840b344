#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// The frames that a client exchanges with lodge-monitor on a connection that began as an HTTP
/// request to the daemon and was upgraded ("Upgrade: lodge-session/1"): from the 101 answer on, the
/// daemon has no part in it, so it may die without harm to the session.
///
/// The connection is a SOCK_STREAM unix socket. A frame is a FrameHeader and `size` payload bytes,
/// in host byte order (both ends are on one host and of one release series; the upgrade token
/// carries the version).
///
/// Exec without terminal: client sends `stdio` with three descriptors (stdin, stdout, stderr).
/// Exec with terminal: monitor answers `terminal` with one descriptor, the PTY's master.
/// Console: monitor answers `terminal_data` frames (first the kept log), client sends
/// `terminal_data`. Client may send `signal` (exec) or `resize` (console). Monitor ends with
/// `exited`, then closes. A client that closes first: its exec session's leader gets SIGHUP.
namespace lodge::session {

inline constexpr const char* kUpgradeToken = "lodge-session/1";

enum class FrameType : std::uint32_t {
    stdio = 1,         ///< client -> monitor, SCM_RIGHTS x3
    terminal = 2,      ///< monitor -> client, SCM_RIGHTS x1
    started = 3,       ///< monitor -> client: the command was exec'ed
    signal = 4,        ///< client -> monitor, payload: SignalPayload
    resize = 5,        ///< client -> monitor, payload: ResizePayload
    terminal_data = 6, ///< both ways, payload: bytes
    exited = 7,        ///< monitor -> client, payload: ExitPayload
    error = 8,         ///< monitor -> client, payload: ErrorPayload and text; then `exited`
};

struct FrameHeader {
    FrameType type;
    std::uint32_t size;
};
struct SignalPayload {
    std::int32_t number;
};
struct ResizePayload {
    std::uint16_t rows;
    std::uint16_t columns;
};
/// The exit code as a shell reports it: the command's, 128+n after signal n, or 126/127 when the
/// command could not be executed.
struct ExitPayload {
    std::int32_t code;
};
inline constexpr std::int32_t kCannotExecute = 126;
struct ErrorPayload {
    std::uint16_t code; ///< lodge::ErrorCode
    std::uint16_t reserved;
    std::int32_t error_number;
};

/// Largest payload of a frame; a larger one is a protocol error.
inline constexpr std::uint32_t kLargestPayload = 65536;

struct Frame {
    FrameType type{};
    std::vector<std::byte> payload;
    std::vector<UniqueFd> fds;
};

/// Sends one frame; blocks while the peer's buffer is full.
[[nodiscard]] Status send_frame(int socket,
                                FrameType type,
                                std::span<const std::byte> payload,
                                std::span<const int> fds = {});
/// Refuses a session before it begins: sends `error` and `exited` with 126. For a new connection,
/// whose empty buffer has room for both.
[[nodiscard]] Status send_failure(int socket, const Error& error);
/// The payload of an `error` frame; a long text is cut.
[[nodiscard]] std::string encode_error(const Error& error);
/// Takes one frame; blocks. `cancelled` when the peer closed between frames.
[[nodiscard]] Result<Frame> receive_frame(int socket);

} // namespace lodge::session
