#include "tests/support/session_client.hpp"

#include "tests/support/patience.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;
using session::FrameType;

const auto kPatience = patience(10s);

Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail_errno("pipe2");
    }
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Status wait_for(int fd, short events, const Deadline& deadline) {
    pollfd wait{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&wait, 1, deadline.poll_timeout());
    if (ready <= 0) {
        return fail(ErrorCode::timeout, "nothing came");
    }
    return {};
}

void note(const session::Frame& frame, SessionResult& result) {
    if (frame.type == FrameType::started) {
        result.started = true;
    } else if (frame.type == FrameType::exited) {
        session::ExitPayload payload{};
        std::memcpy(&payload, frame.payload.data(), sizeof payload);
        result.code = payload.code;
    } else if (frame.type == FrameType::error) {
        constexpr std::size_t kHead = sizeof(session::ErrorPayload);
        result.error.assign(reinterpret_cast<const char*>(frame.payload.data()) + kHead,
                            frame.payload.size() - kHead);
    }
}

struct Streams {
    UniqueFd input;
    UniqueFd output;
    UniqueFd error;
};

// Writes stdin and reads stdout and stderr until both have ended, then reads frames until the
// connection ends.
Status follow(int socket, Streams& streams, std::string_view input, SessionResult& result) {
    const Deadline deadline = Deadline::after(60s);
    bool socket_open = true;
    while (socket_open || streams.output || streams.error) {
        if (input.empty()) {
            streams.input.reset();
        }
        std::array<pollfd, 4> waits{{{streams.input.get(), POLLOUT, 0},
                                     {streams.output.get(), POLLIN, 0},
                                     {streams.error.get(), POLLIN, 0},
                                     {socket_open ? socket : -1, POLLIN, 0}}};
        if (::poll(waits.data(), waits.size(), deadline.poll_timeout()) <= 0) {
            return fail(ErrorCode::timeout, "the session does not end");
        }
        if (waits[0].revents != 0) {
            const ssize_t size = ::write(
                streams.input.get(), input.data(), std::min<std::size_t>(input.size(), 4096));
            input.remove_prefix(size > 0 ? static_cast<std::size_t>(size) : input.size());
        }
        std::array<char, 65536> buffer{};
        for (std::size_t i : {std::size_t{1}, std::size_t{2}}) {
            UniqueFd& from = i == 1 ? streams.output : streams.error;
            if (waits[i].revents != 0) {
                const ssize_t size = ::read(from.get(), buffer.data(), buffer.size());
                if (size <= 0) {
                    from.reset();
                } else {
                    (i == 1 ? result.output : result.error_output)
                        .append(buffer.data(), static_cast<std::size_t>(size));
                }
            }
        }
        if (waits[3].revents != 0) {
            auto frame = session::receive_frame(socket);
            if (frame) {
                note(*frame, result);
            }
            socket_open = frame.has_value();
        }
    }
    return {};
}

} // namespace

Result<std::pair<UniqueFd, UniqueFd>> make_stream_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return fail_errno("socketpair");
    }
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

daemon::TakeClient give(UniqueFd& connection) {
    return [&connection]() -> Result<UniqueFd> { return std::move(connection); };
}

Result<SessionResult>
run_in(daemon::Monitor& monitor, const daemon::ExecRequest& request, const std::string& input) {
    ASSIGN_OR_RETURN(auto sockets, make_stream_pair());
    ASSIGN_OR_RETURN(auto in, make_pipe());
    ASSIGN_OR_RETURN(auto out, make_pipe());
    ASSIGN_OR_RETURN(auto err, make_pipe());
    RETURN_IF_ERROR(monitor.exec(request, give(sockets.second)));
    const std::array fds{in.first.get(), out.second.get(), err.second.get()};
    RETURN_IF_ERROR(session::send_frame(sockets.first.get(), FrameType::stdio, {}, fds));
    in.first.reset();
    out.second.reset();
    err.second.reset();
    SessionResult result;
    Streams streams{std::move(in.second), std::move(out.first), std::move(err.first)};
    RETURN_IF_ERROR(follow(sockets.first.get(), streams, input, result));
    return result;
}

Result<SessionResult>
run_guest(daemon::Monitor& monitor, std::vector<std::string> arguments, const std::string& user) {
    arguments.insert(arguments.begin(), "/bin/guest");
    daemon::ExecRequest request;
    request.argv = std::move(arguments);
    request.user = user;
    return run_in(monitor, request);
}

Result<OpenSession> OpenSession::open(daemon::Monitor& monitor,
                                      const daemon::ExecRequest& request) {
    ASSIGN_OR_RETURN(auto sockets, make_stream_pair());
    RETURN_IF_ERROR(monitor.exec(request, give(sockets.second)));
    return OpenSession(std::move(sockets.first));
}

Result<session::Frame> OpenSession::next() {
    RETURN_IF_ERROR(wait_for(socket_.get(), POLLIN, Deadline::after(kPatience)));
    return session::receive_frame(socket_.get());
}

Result<session::Frame> OpenSession::expect(FrameType type) {
    ASSIGN_OR_RETURN(session::Frame frame, next());
    if (frame.type != type) {
        return fail(ErrorCode::corrupt,
                    "frame " + std::to_string(static_cast<unsigned>(frame.type)) + " came");
    }
    return frame;
}

Status OpenSession::send(FrameType type, std::string_view payload, std::span<const int> fds) {
    return session::send_frame(socket_.get(), type, std::as_bytes(std::span(payload)), fds);
}

Result<std::string> read_until(int fd, const std::string& text) {
    std::string seen;
    const Deadline deadline = Deadline::after(kPatience);
    while (seen.find(text) == std::string::npos) {
        auto ready = wait_for(fd, POLLIN, deadline);
        if (!ready) {
            return std::unexpected<Error>(
                std::move(ready).error().context("wait for '" + text + "' after '" + seen + "'"));
        }
        std::array<char, 4096> buffer{};
        const ssize_t size = ::read(fd, buffer.data(), buffer.size());
        if (size <= 0) {
            return fail(ErrorCode::cancelled, "ended after '" + seen + "'");
        }
        seen.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return seen;
}

} // namespace lodge::test
