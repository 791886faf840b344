#include "daemon/containers/host_keys.hpp"

#include "lib/base/clock.hpp"
#include "lib/model/container.hpp"
#include "lib/session/session.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::size_t kMostText = 65536;

struct Ends {
    UniqueFd read;
    UniqueFd write;
};

Result<Ends> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail_errno("pipe2");
    }
    return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Until its last writer has gone, or it was enough.
Result<std::string> read_text(int fd, const Deadline& deadline) {
    std::string text;
    std::array<char, 4096> chunk{};
    while (text.size() < kMostText) {
        pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, deadline.poll_timeout()) == 0) {
            return fail(ErrorCode::timeout, "the container did not tell its SSH host keys in time");
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

// Ends by its connection's end, should it not have ended by itself.
Result<std::string> output_of(Monitor& monitor, const ExecRequest& request) {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        return fail_errno("socketpair");
    }
    const UniqueFd session(sockets[0]);
    UniqueFd theirs(sockets[1]);
    ASSIGN_OR_RETURN(Ends input, make_pipe());
    ASSIGN_OR_RETURN(Ends output, make_pipe());
    const Deadline deadline = Deadline::after(kPatience);
    RETURN_IF_ERROR(monitor.exec(request, std::move(theirs)));
    RETURN_IF_ERROR(
        session::send_frame(session.get(),
                            session::FrameType::stdio,
                            {},
                            std::array{input.read.get(), output.write.get(), output.write.get()}));
    input = Ends{};
    output.write.reset();
    return read_text(output.read.get(), deadline);
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
