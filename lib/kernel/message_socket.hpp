#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/types.h>

namespace lodge::kernel {

/// Most descriptors that one message may carry.
inline constexpr std::size_t kMostFdsPerMessage = 8;

/// What one recvmsg(2) brought. An empty message with `closed` set: the peer is gone.
struct ReceivedMessage {
    std::size_t size = 0;
    std::vector<UniqueFd> fds;
    bool closed = false;
};

/// A connected pair of SOCK_SEQPACKET sockets, O_CLOEXEC.
[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> make_message_pair();

/// Sends `data` as one message with `fds` attached (SCM_RIGHTS). Works on SEQPACKET and, where the
/// caller keeps messages apart itself, on STREAM sockets. Never raises SIGPIPE. `cancelled` when
/// the other side has gone.
[[nodiscard]] Status
send_message(int socket, std::span<const std::byte> data, std::span<const int> fds = {});

/// Waits until `deadline` for one message of at most `buffer.size()` bytes. A longer one, or one
/// with truncated descriptors, is an error and everything that came is closed. Descriptors are
/// O_CLOEXEC.
[[nodiscard]] Result<ReceivedMessage>
receive_message(int socket, std::span<std::byte> buffer, const Deadline& deadline);

/// Appends the descriptors that came with a message of recvmsg(2) (SCM_RIGHTS, man 7 unix).
void take_fds(msghdr& message, std::vector<UniqueFd>& into);

/// The process at the other end of a unix socket (SO_PEERCRED, man 7 unix): as of its connect(2).
struct PeerCredentials {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};
[[nodiscard]] Result<PeerCredentials> peer_credentials(int socket);

/// connect_messages() fails with timeout when the listener takes no connection within five seconds.
/// A listening SOCK_SEQPACKET socket named `name` in the directory `dir_fd`, mode 0600. Bound
/// through /proc/self/fd, so that the length of the directory's own path does not matter (sun_path
/// holds 107 bytes).
[[nodiscard]] Result<UniqueFd> listen_messages(int dir_fd, const char* name);
[[nodiscard]] Result<UniqueFd> connect_messages(int dir_fd, const char* name);

} // namespace lodge::kernel
