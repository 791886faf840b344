#pragma once

#include "cli/flow.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/session/session.hpp"

#include <initializer_list>

/// What the pumps of a session have in common.
namespace lodge::cli {

/// What the monitor says in the end: the exit code, or why there is none.
struct Ending {
    bool over = false;
    int code = 0;
    bool started = false; ///< by this frame
};
/// What an `error` frame tells.
[[nodiscard]] Error error_of(const session::Frame& frame);
/// A peer that closed has said why before: what is still to be read of it counts.
[[nodiscard]] Status unless_closed(Status sent);
/// Of the next frame. A terminal that comes with it goes to `terminal`.
[[nodiscard]] Result<Ending> read_ending(int connection, UniqueFd* terminal);

/// Signals that a user means for the command, and the terminal's change of size, as a descriptor.
[[nodiscard]] Result<UniqueFd> watch_signals();
/// 0: none.
[[nodiscard]] int next_signal(int signal_fd);
/// What a shell reports of a program that a signal ended: we end as by its default action, but the
/// terminal is put in order first.
[[nodiscard]] int code_of_signal(int number);

/// A reader who went away wanted no more; any other failure has lost what the command said.
[[nodiscard]] Status all_written(std::initializer_list<const Flow*> outputs);

} // namespace lodge::cli
