#pragma once

#include "lib/base/unique_fd.hpp"
#include "tests/support/lodge_host.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace lodge::test {

/// A terminal emulator's two ends: what a user's screen and keyboard are.
struct UserTerminal {
    UniqueFd master;
    UniqueFd slave;
    std::string unread; ///< came, but await_text() has not passed it yet
};
[[nodiscard]] UserTerminal make_user_terminal(unsigned short rows, unsigned short columns);
/// As a window that the user drags: the foreground program gets SIGWINCH.
void resize(const UserTerminal& terminal, unsigned short rows, unsigned short columns);
/// What the user types.
void type(const UserTerminal& terminal, const std::string& keys);

/// Waits until `text` is on the screen, up to ten seconds; what came up to its end.
[[nodiscard]] Result<std::string> await_text(UserTerminal& terminal, const std::string& text);

/// pipe(2), closed on exec.
struct Pipe {
    UniqueFd read;
    UniqueFd write;
};
[[nodiscard]] Pipe make_pipe();

/// What a CliProcess starts with; -1 is /dev/null. They are copied.
struct CliStreams {
    int in = -1;
    int out = -1;
    int err = -1;
};

/// The lodge command, running while a test does something to it. SIGKILLed in the end.
class CliProcess {
  public:
    CliProcess(const LodgeHost& host,
               const std::vector<std::string>& arguments,
               const CliStreams& streams);
    /// In a session of its own whose controlling terminal is `terminal`, as from a shell.
    CliProcess(const LodgeHost& host,
               const std::vector<std::string>& arguments,
               const UserTerminal& terminal);
    ~CliProcess();
    CliProcess(const CliProcess&) = delete;
    CliProcess& operator=(const CliProcess&) = delete;

    /// Waits for its end, up to thirty seconds: as a shell has it, 128+n after a signal; -1: it did
    /// not end.
    [[nodiscard]] int wait();
    [[nodiscard]] bool running() const;
    void signal(int number) const;
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    int code_ = -1;
};

} // namespace lodge::test
