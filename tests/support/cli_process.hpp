#pragma once

#include "lib/base/unique_fd.hpp"
#include "tests/support/lodge_host.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace lodge::test {

/// The two ends of a terminal emulator: the screen and keyboard of a user.
struct UserTerminal {
    UniqueFd master;
    UniqueFd slave;
    std::string unread; ///< received, but not yet passed by await_text()
};
[[nodiscard]] UserTerminal make_user_terminal(unsigned short rows, unsigned short columns);
/// Resizes the terminal as a window: the foreground program gets SIGWINCH.
void resize(const UserTerminal& terminal, unsigned short rows, unsigned short columns);
/// Types keys as the user.
void type(const UserTerminal& terminal, const std::string& keys);

/// Waits up to ten seconds until `text` is on the screen. Returns the output up to its end.
[[nodiscard]] Result<std::string> await_text(UserTerminal& terminal, const std::string& text);

/// pipe(2), closed on exec.
struct Pipe {
    UniqueFd read;
    UniqueFd write;
};
[[nodiscard]] Pipe make_pipe();

/// The standard streams of a CliProcess; -1 is /dev/null. CliProcess copies them.
struct CliStreams {
    int in = -1;
    int out = -1;
    int err = -1;
};

/// The lodge command, which runs while the test acts on it. The destructor sends SIGKILL.
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

    /// Waits up to thirty seconds for its end. Returns the exit code of a shell, 128+n after signal
    /// n; -1: it did not end.
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
