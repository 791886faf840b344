#include "daemon/runtime/host_keys.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/pipe.hpp"
#include "lib/model/container.hpp"
#include "lib/session/session.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <span>
#include <sstream>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::size_t kMostText = 65536;
constexpr const char* kTooLate = "the container did not tell its SSH host keys in time";

// Reads until the last writer is gone, or the limit.
Result<std::string> read_text(int fd, const Deadline& deadline) {
    std::string text;
    std::array<char, 4096> chunk{};
    while (text.size() < kMostText) {
        pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, deadline.poll_timeout()) == 0) {
            return fail(ErrorCode::timeout, kTooLate);
        }
        const ssize_t size = ::read(fd, chunk.data(), chunk.size());
        if (size < 0 && errno != EINTR) {
            return fail_errno("read");
        }
        if (size == 0) {
            break;
        }
        text.append(chunk.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
    }
    return text;
}

// A command that cannot run reports why.
Status await_exit(int session, const Deadline& deadline) {
    while (true) {
        pollfd wait{.fd = session, .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, deadline.poll_timeout()) == 0) {
            return fail(ErrorCode::timeout, kTooLate);
        }
        ASSIGN_OR_RETURN(const session::Frame frame, session::receive_frame(session));
        if (frame.type == session::FrameType::exited) {
            return {};
        }
        constexpr std::size_t kHead = sizeof(session::ErrorPayload);
        if (frame.type == session::FrameType::error && frame.payload.size() >= kHead) {
            return fail(ErrorCode::invalid_state,
                        "its SSH host keys cannot be read: " +
                            std::string(reinterpret_cast<const char*>(frame.payload.data()) + kHead,
                                        frame.payload.size() - kHead));
        }
    }
}

// A command that does not end by itself must not stay.
void kill_command(int session) {
    const session::SignalPayload kill{.number = SIGKILL};
    (void)session::send_frame( // else it hears of our going
        session,
        session::FrameType::signal,
        std::as_bytes(std::span(&kill, 1)));
}

Result<std::string> output_of(Monitor& monitor, const ExecRequest& request) {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        return fail_errno("socketpair");
    }
    const UniqueFd session(sockets[0]);
    UniqueFd theirs(sockets[1]);
    const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0}; // within a frame
    if (::setsockopt(session.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
        return fail_errno("setsockopt(SO_RCVTIMEO)");
    }
    ASSIGN_OR_RETURN(kernel::Pipe input, kernel::make_pipe());
    ASSIGN_OR_RETURN(kernel::Pipe output, kernel::make_pipe());
    const Deadline deadline = Deadline::after(kPatience);
    RETURN_IF_ERROR(
        monitor.exec(request, [&theirs] { return Result<UniqueFd>(std::move(theirs)); }));
    RETURN_IF_ERROR(session::send_frame(
        session.get(),
        session::FrameType::stdio,
        {},
        std::array{input.reader.get(), output.writer.get(), output.writer.get()}));
    input = kernel::Pipe{};
    output.writer.reset();
    auto text = read_text(output.reader.get(), deadline);
    if (!text || text->size() >= kMostText) {
        kill_command(session.get());
    }
    RETURN_IF_ERROR(text);
    RETURN_IF_ERROR(await_exit(session.get(), deadline));
    return text;
}

} // namespace

Result<std::string> read_host_keys(Monitor& monitor) {
    ExecRequest request;
    request.argv = {"cat"};
    for (const char* type : {"ed25519", "ecdsa", "rsa"}) {
        request.argv.push_back(std::string("/etc/ssh/ssh_host_") + type + "_key.pub");
    }
    ASSIGN_OR_RETURN(const std::string text, output_of(monitor, request));
    std::istringstream lines(text);
    std::string keys;
    for (std::string line; std::getline(lines, line);) {
        if (model::validate_ssh_public_key(line)) {
            keys += line + "\n";
        }
    }
    return keys;
}

} // namespace lodge::daemon
