#include "cli/connection.hpp"

#include "cli/output.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/signalfd.h>
#include <unistd.h>

namespace lodge::cli {

using session::Frame;
using session::FrameType;

namespace {

template <typename T>
T payload_of(const Frame& frame) {
    T value{};
    std::memcpy(&value, frame.payload.data(), std::min(sizeof value, frame.payload.size()));
    return value;
}

} // namespace

Error error_of(const Frame& frame) {
    const auto head = payload_of<session::ErrorPayload>(frame);
    const std::size_t offset = std::min(sizeof head, frame.payload.size());
    std::string text(reinterpret_cast<const char*>(frame.payload.data()) + offset,
                     frame.payload.size() - offset);
    return {static_cast<ErrorCode>(head.code), std::move(text)};
}

Status unless_closed(Status sent) {
    const bool closed =
        !sent && (sent.error().sys_errno() == EPIPE || sent.error().sys_errno() == ECONNRESET);
    return closed ? Status() : std::move(sent);
}

Result<Ending> read_ending(int connection, UniqueFd* terminal) {
    ASSIGN_OR_RETURN(Frame frame, session::receive_frame(connection));
    if (frame.type == FrameType::exited) {
        return Ending{.over = true, .code = payload_of<session::ExitPayload>(frame).code};
    }
    if (frame.type == FrameType::started) {
        return Ending{.started = true};
    }
    if (frame.type == FrameType::terminal && terminal != nullptr && frame.fds.size() == 1) {
        *terminal = std::move(frame.fds[0]);
    }
    if (frame.type == FrameType::error) {
        const Error error = error_of(frame);
        if (error.code() == ErrorCode::timeout) {
            return std::unexpected<Error>(error); // our own error: there is no exit code
        }
        report({}, error);
    }
    return Ending{};
}

Result<UniqueFd> watch_signals() {
    sigset_t signals;
    (void)::sigemptyset(&signals);
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH}) {
        (void)::sigaddset(&signals, number);
    }
    (void)::sigprocmask( // NOLINT(concurrency-mt-unsafe): one thread
        SIG_BLOCK,
        &signals,
        nullptr);
    UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
    if (!fd) {
        return fail_errno("signalfd");
    }
    return fd;
}

int next_signal(int signal_fd) {
    signalfd_siginfo info{};
    return ::read(signal_fd, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                : 0;
}

int code_of_signal(int number) {
    constexpr int kSignalBase = 128;
    return kSignalBase + number;
}

Status all_written(std::initializer_list<const Flow*> outputs) {
    for (const Flow* flow : outputs) {
        if (flow->sink_error() != 0 && flow->sink_error() != EPIPE) {
            return fail_errno("write the command's output", {}, flow->sink_error());
        }
    }
    return {};
}

} // namespace lodge::cli
