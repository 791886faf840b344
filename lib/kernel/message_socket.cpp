#include "lib/kernel/message_socket.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lodge::kernel {

namespace {

union ControlBuffer {
    std::array<char, CMSG_SPACE(sizeof(int) * kMostFdsPerMessage)> bytes;
    cmsghdr align;
};

Status wait_readable(int socket, const Deadline& deadline) {
    pollfd wait{.fd = socket, .events = POLLIN, .revents = 0};
    while (true) {
        const int ready = ::poll(&wait, 1, deadline.poll_timeout());
        if (ready > 0) {
            return {};
        }
        if (ready == 0) {
            return fail(ErrorCode::timeout, "no message came in time");
        }
        if (errno != EINTR) {
            return fail_errno("poll");
        }
    }
}

Result<sockaddr_un> address_of(int dir_fd, const char* name) {
    const std::string path = "/proc/self/fd/" + std::to_string(dir_fd) + "/" + name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(ErrorCode::invalid_argument, "socket name is too long: '" + path + "'");
    }
    std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size() + 1);
    return address;
}

} // namespace

void take_fds(msghdr& message, std::vector<UniqueFd>& into) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            into.emplace_back(fd);
        }
    }
}

Result<std::pair<UniqueFd, UniqueFd>> make_message_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return fail_errno("socketpair");
    }
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Status send_message(int socket, std::span<const std::byte> data, std::span<const int> fds) {
    if (fds.size() > kMostFdsPerMessage) {
        return fail(ErrorCode::internal, "too many descriptors for one message");
    }
    // sendmsg(2) does not write through iov_base, but POSIX has no const version of it.
    iovec part{.iov_base = const_cast<std::byte*>(data.data()), .iov_len = data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ControlBuffer control{};
    if (!fds.empty()) {
        message.msg_control = control.bytes.data();
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    while (true) {
        const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent == static_cast<ssize_t>(data.size())) {
            return {};
        }
        if (sent >= 0) {
            return fail(ErrorCode::kernel, "a message was sent only in part");
        }
        if (errno == EPIPE || errno == ECONNRESET) {
            return std::unexpected(
                Error(ErrorCode::cancelled, "the other side has gone").with_errno(errno));
        }
        if (errno != EINTR) {
            return fail_errno("sendmsg");
        }
    }
}

Result<ReceivedMessage>
receive_message(int socket, std::span<std::byte> buffer, const Deadline& deadline) {
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    ControlBuffer control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    while (true) {
        RETURN_IF_ERROR(wait_readable(socket, deadline));
        const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (size < 0) {
            // ECONNRESET: the peer closed before it read all our messages. The kernel reports this
            // once, before the peer's own last messages, which can still be received.
            if (errno == EINTR || errno == EAGAIN || errno == ECONNRESET) {
                continue;
            }
            return fail_errno("recvmsg");
        }
        ReceivedMessage received{
            .size = static_cast<std::size_t>(size), .fds = {}, .closed = size == 0};
        take_fds(message, received.fds);
        if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
            return fail(ErrorCode::corrupt, "a message is longer than agreed");
        }
        return received;
    }
}

Result<PeerCredentials> peer_credentials(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return fail_errno("getsockopt(SO_PEERCRED)");
    }
    return PeerCredentials{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
}

Result<UniqueFd> listen_messages(int dir_fd, const char* name) {
    ASSIGN_OR_RETURN(const sockaddr_un address, address_of(dir_fd, name));
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return fail_errno("socket");
    }
    // bind(2) gives the new file the mode of the socket (man 7 unix).
    if (::fchmod(socket.get(), 0600) != 0) {
        return fail_errno("fchmod", name);
    }
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail_errno("bind", name);
    }
    if (::listen(socket.get(), 16) != 0) {
        return fail_errno("listen", name);
    }
    return socket;
}

Result<UniqueFd> connect_messages(int dir_fd, const char* name) {
    ASSIGN_OR_RETURN(const sockaddr_un address, address_of(dir_fd, name));
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket) {
        return fail_errno("socket");
    }
    // connect(2) waits for room in the listener's queue. A listener that hangs never makes room.
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        return fail_errno("setsockopt(SO_SNDTIMEO)");
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return errno == EAGAIN
                   ? fail(ErrorCode::timeout, std::string(name) + ": takes no connection in time")
                   : fail_errno("connect", name);
    }
    return socket;
}

} // namespace lodge::kernel
