#include "cli/attach.hpp"
#include "cli/connection.hpp"
#include "cli/flow.hpp"
#include "lib/kernel/pipe.hpp"

#include <array>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::cli {

using session::FrameType;

namespace {

// One of the three streams, through a pipe of ours, so that a tenant never holds a descriptor of
// the caller. A tenant with a script's pipe could read it, write to it or keep it open long after
// the command.
struct Stream {
    Stream(UniqueFd their_end, UniqueFd our_end, int source, int sink)
        : theirs(std::move(their_end)), ours(std::move(our_end)), flow(source, sink) {}
    UniqueFd theirs; ///< the end of the command
    UniqueFd ours;   ///< our end, when we pump
    Flow flow;
};

// With `local` -1 the stream is at its end from the beginning.
Result<Stream> make_stream(int local, bool input) {
    ASSIGN_OR_RETURN(kernel::Pipe pipe, kernel::make_pipe());
    // In the container the owner of the pipe is "nobody", and an open(2) of /dev/stdout checks its
    // mode. So the mode permits all users. Only a process with a descriptor of the pipe can open it
    // this way.
    constexpr mode_t kEverybody = 0666;
    if (::fchmod(pipe.reader.get(), kEverybody) != 0) {
        return fail_errno("fchmod", "a pipe");
    }
    UniqueFd theirs = std::move(input ? pipe.reader : pipe.writer);
    UniqueFd ours = std::move(input ? pipe.writer : pipe.reader);
    if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) {
        return fail_errno("fcntl(F_SETFL)");
    }
    const int fd = ours.get();
    if (local < 0) {
        return Stream(std::move(theirs), UniqueFd(), -1, -1);
    }
    return input ? Stream(std::move(theirs), std::move(ours), local, fd)
                 : Stream(std::move(theirs), std::move(ours), fd, local);
}

// Moves the available bytes; closes our end when one side has ended.
void pump(Stream& stream) {
    if (stream.flow.move() != Flow::State::flowing) {
        stream.flow.close();
        stream.ours.reset();
    }
}

// stdin, stdout and stderr, in this order.
using Streams = std::array<Stream, 3>;

Result<Streams> hand_over_streams(int connection, bool without_input) {
    ASSIGN_OR_RETURN(Stream in, make_stream(without_input ? -1 : STDIN_FILENO, true));
    ASSIGN_OR_RETURN(Stream out, make_stream(STDOUT_FILENO, false));
    ASSIGN_OR_RETURN(Stream err, make_stream(STDERR_FILENO, false));
    RETURN_IF_ERROR(unless_closed(
        session::send_frame(connection,
                            FrameType::stdio,
                            {},
                            std::array{in.theirs.get(), out.theirs.get(), err.theirs.get()})));
    Streams streams{std::move(in), std::move(out), std::move(err)};
    for (Stream& stream : streams) {
        stream.theirs.reset(); // else there is no end of file
    }
    return streams;
}

Status forward_signal(int connection, int number) {
    const session::SignalPayload payload{.number = number};
    return payload.number == SIGWINCH
               ? Status{}
               : unless_closed(session::send_frame(
                     connection, FrameType::signal, std::as_bytes(std::span(&payload, 1))));
}

// The third signal to end is for us: the command ignores it, or signals do not reach the command.
class Patience {
  public:
    bool ends_with(int number) {
        constexpr int kMost = 3;
        const bool asks =
            number == SIGINT || number == SIGTERM || number == SIGQUIT || number == SIGHUP;
        return asks && ++asked_ == kMost;
    }

  private:
    int asked_ = 0;
};

// Returns the code to end with; nullopt: go on. `over`: the command has ended, and only its output
// is left.
Result<std::optional<int>>
heed_signal(int connection, int signal_fd, Patience& patience, bool over) {
    const int number = next_signal(signal_fd);
    if (patience.ends_with(number) || (over && number != SIGWINCH)) {
        return code_of_signal(number); // or nobody reads our output
    }
    if (!over) {
        RETURN_IF_ERROR(forward_signal(connection, number));
    }
    return std::nullopt;
}

} // namespace

Result<int> run_piped(const UniqueFd& connection, bool without_input) {
    ASSIGN_OR_RETURN(const UniqueFd signals, watch_signals());
    ASSIGN_OR_RETURN(Streams streams, hand_over_streams(connection.get(), without_input));
    Flow& out = streams[1].flow;
    Flow& err = streams[2].flow;
    Ending ending;
    Patience patience;
    // After the exit this reads the bytes that are in the pipes of the output, and no later ones:
    // the command may have left a process that writes for ever.
    while (!ending.over || out.open() || err.open()) {
        std::array<pollfd, 5> waits{{{ending.over ? -1 : connection.get(), POLLIN, 0},
                                     {signals.get(), POLLIN, 0},
                                     streams[0].flow.wait(),
                                     out.wait(),
                                     err.wait()}};
        const bool pending = out.pending() || err.pending();
        if (::poll(waits.data(), waits.size(), ending.over && !pending ? 0 : -1) == 0) {
            break; // over, and nothing is left
        }
        for (std::size_t i = 0; i < streams.size(); ++i) {
            if (waits.at(2 + i).revents != 0) {
                pump(streams.at(i));
            }
        }
        if (waits[0].revents != 0) {
            ASSIGN_OR_RETURN(ending, read_ending(connection.get(), nullptr));
            if (ending.over) {
                streams[0].flow.close();
                out.last_call();
                err.last_call();
            }
        }
        if (waits[1].revents != 0) {
            ASSIGN_OR_RETURN(const auto code,
                             heed_signal(connection.get(), signals.get(), patience, ending.over));
            if (code) {
                return *code;
            }
        }
    }
    RETURN_IF_ERROR(all_written({&out, &err}));
    return ending.code;
}

} // namespace lodge::cli
