#include "lib/session/session.hpp"

#include "lib/kernel/message_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace lodge::session {

namespace {

constexpr std::size_t kMostFds = 3;

union ControlBuffer {
    std::array<char, CMSG_SPACE(sizeof(int) * kMostFds)> bytes;
    cmsghdr align;
};

void attach_fds(msghdr& message, ControlBuffer& control, std::span<const int> fds) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
}

// Fills `into` and appends descriptors that come along to `fds`. Returns false when the peer closed
// before the first byte.
Result<bool> receive_exactly(int socket, std::span<std::byte> into, std::vector<UniqueFd>& fds) {
    std::size_t got = 0;
    while (got < into.size()) {
        iovec part{.iov_base = into.data() + got, .iov_len = into.size() - got};
        ControlBuffer control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes.data();
        message.msg_controllen = control.bytes.size();
        const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == ECONNRESET && got == 0) {
                return false;
            }
            return fail_errno("recvmsg");
        }
        kernel::take_fds(message, fds);
        // Each recvmsg(2) may bring descriptors. Without a limit on their sum a peer could fill our
        // descriptor table with one frame that it sends byte by byte.
        if ((message.msg_flags & MSG_CTRUNC) != 0 || fds.size() > kMostFds) {
            return fail(ErrorCode::corrupt, "the peer sent more descriptors than agreed");
        }
        if (size == 0) {
            if (got == 0) {
                return false;
            }
            return fail(ErrorCode::corrupt, "the peer closed in the middle of a frame");
        }
        got += static_cast<std::size_t>(size);
    }
    return true;
}

} // namespace

Status send_frame(int socket,
                  FrameType type,
                  std::span<const std::byte> payload,
                  std::span<const int> fds) {
    if (payload.size() > kLargestPayload || fds.size() > kMostFds) {
        return fail(ErrorCode::internal, "a frame is larger than agreed");
    }
    FrameHeader header{.type = type, .size = static_cast<std::uint32_t>(payload.size())};
    // sendmsg(2) does not write through iov_base, but POSIX has no const version of it.
    std::array<iovec, 2> parts{
        {{&header, sizeof header}, {const_cast<std::byte*>(payload.data()), payload.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    ControlBuffer control{};
    if (!fds.empty()) {
        attach_fds(message, control, fds);
    }
    std::size_t left = sizeof header + payload.size();
    while (left > 0) {
        const ssize_t size = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail_errno("sendmsg");
        }
        left -= static_cast<std::size_t>(size);
        message.msg_control = nullptr; // the descriptors went with the first bytes
        message.msg_controllen = 0;
        std::size_t sent = static_cast<std::size_t>(size);
        for (iovec& part : parts) {
            const std::size_t taken = sent < part.iov_len ? sent : part.iov_len;
            part.iov_base = static_cast<std::byte*>(part.iov_base) + taken;
            part.iov_len -= taken;
            sent -= taken;
        }
    }
    return {};
}

std::string encode_error(const Error& error) {
    constexpr std::size_t kLongestText = 4096;
    ErrorPayload head{};
    head.code = static_cast<std::uint16_t>(error.code());
    head.error_number = error.sys_errno();
    std::string payload(reinterpret_cast<const char*>(&head), sizeof head);
    return payload.append(error.to_string(), 0, kLongestText);
}

Status send_failure(int socket, const Error& error) {
    const std::string text = encode_error(error);
    const ExitPayload exit{.code = kCannotExecute};
    RETURN_IF_ERROR(send_frame(socket, FrameType::error, std::as_bytes(std::span(text))));
    return send_frame(socket, FrameType::exited, std::as_bytes(std::span(&exit, 1)));
}

Result<Frame> receive_frame(int socket) {
    FrameHeader header{};
    Frame frame;
    ASSIGN_OR_RETURN(
        const bool open,
        receive_exactly(socket, std::as_writable_bytes(std::span(&header, 1)), frame.fds));
    if (!open) {
        return fail(ErrorCode::cancelled, "the peer closed the session");
    }
    const auto type = static_cast<std::uint32_t>(header.type);
    if (type < static_cast<std::uint32_t>(FrameType::stdio) ||
        type > static_cast<std::uint32_t>(FrameType::error) || header.size > kLargestPayload) {
        return fail(ErrorCode::corrupt, "the peer sent a frame that is not of this protocol");
    }
    frame.type = header.type;
    frame.payload.resize(header.size);
    if (header.size > 0) {
        ASSIGN_OR_RETURN(const bool whole, receive_exactly(socket, frame.payload, frame.fds));
        if (!whole) {
            return fail(ErrorCode::corrupt, "the peer closed in the middle of a frame");
        }
    }
    return frame;
}

} // namespace lodge::session
