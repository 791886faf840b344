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

/// The result of one recvmsg(2). An empty message with `closed` set: the peer has closed its end.
struct ReceivedMessage {
    std::size_t size = 0;
    std::vector<UniqueFd> fds;
    bool closed = false;
};

/// A connected pair of SOCK_SEQPACKET sockets, O_CLOEXEC.
[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> make_message_pair();

/// Sends `data` as one message with `fds` attached (SCM_RIGHTS). For SEQPACKET sockets, and for
/// STREAM sockets when the caller marks the ends of messages itself. Never raises SIGPIPE.
/// `cancelled` when the other side has gone.
[[nodiscard]] Status
send_message(int socket, std::span<const std::byte> data, std::span<const int> fds = {});

/// Waits until `deadline` for one message of at most `buffer.size()` bytes. A longer message, or
/// one with truncated descriptors, is an error; all descriptors that came with it are closed.
/// Descriptors are O_CLOEXEC.
[[nodiscard]] Result<ReceivedMessage>
receive_message(int socket, std::span<std::byte> buffer, const Deadline& deadline);

/// Appends the descriptors that came with a message of recvmsg(2) (SCM_RIGHTS, man 7 unix).
void take_fds(msghdr& message, std::vector<UniqueFd>& into);

/// The process at the other end of a unix socket (SO_PEERCRED, man 7 unix): its ids at the time of
/// its connect(2).
struct PeerCredentials {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};
[[nodiscard]] Result<PeerCredentials> peer_credentials(int socket);

/// A listening SOCK_SEQPACKET socket named `name` in the directory `dir_fd`, mode 0600. Its address
/// is below /proc/self/fd, so that the length of the directory's own path does not matter (sun_path
/// holds 107 bytes). connect_messages() connects to such a socket; it fails with timeout when the
/// listener's queue has no room within five seconds.
[[nodiscard]] Result<UniqueFd> listen_messages(int dir_fd, const char* name);
[[nodiscard]] Result<UniqueFd> connect_messages(int dir_fd, const char* name);

} // namespace lodge::kernel
