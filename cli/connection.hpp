#pragma once

#include "cli/flow.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/session/session.hpp"

#include <initializer_list>

/// Functions that all clients of a session use.
namespace lodge::cli {

/// The state of a session after a frame of the monitor. When it is over, it has the exit code.
struct Ending {
    bool over = false;
    int code = 0;
    bool started = false; ///< by this frame
};
/// The error in an `error` frame.
[[nodiscard]] Error error_of(const session::Frame& frame);
/// Turns the error of a closed connection into success: the peer sent its reason before it closed,
/// and the caller reads that next.
[[nodiscard]] Status unless_closed(Status sent);
/// Reads the next frame. A terminal that comes with it goes to `terminal`.
[[nodiscard]] Result<Ending> read_ending(int connection, UniqueFd* terminal);

/// A signalfd(2) for the signals that a user sends to the command, and for SIGWINCH.
[[nodiscard]] Result<UniqueFd> watch_signals();
/// The next signal; 0: none.
[[nodiscard]] int next_signal(int signal_fd);
/// The exit code that a shell reports for a program that a signal ended. We exit with this code in
/// place of the signal's default action, so that the terminal is restored first.
[[nodiscard]] int code_of_signal(int number);

/// An error when output of the command was lost. A reader that closed its end is no error.
[[nodiscard]] Status all_written(std::initializer_list<const Flow*> outputs);

} // namespace lodge::cli
