#include "tests/support/cli_process.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/process.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/patience.hpp"

#include <array>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

namespace {

// Between fork and exec: uses only async-signal-safe calls, because the test may have threads.
[[noreturn]] void
run_child(const CliStreams& streams, bool terminal, char* const* argv, char* const* environment) {
    const int fallback = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    int standard = 0;
    for (const int fd : {streams.in, streams.out, streams.err}) {
        (void)::dup2(fd < 0 ? fallback : fd, standard++);
    }
    if (terminal && (::setsid() < 0 || ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)) {
        ::_exit(99);
    }
    (void)::execve(argv[0], argv, environment);
    ::_exit(99);
}

pid_t start(const LodgeHost& host,
            const std::vector<std::string>& arguments,
            const CliStreams& streams,
            bool terminal) {
    std::vector<std::string> words{LODGE_BIN_DIR "/lodge"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables{std::string("PATH=") + kernel::kProgramPath,
                                       "LODGE_SOCKET=" + host.socket()};
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    if (const char* type = std::getenv("TERM")) {
        variables.push_back(std::string("TERM=") + type);
    }
    std::vector<char*> environment;
    for (std::string& variable : variables) {
        environment.push_back(variable.data());
    }
    environment.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
        run_child(streams, terminal, argv.data(), environment.data());
    }
    EXPECT_GT(pid, 0);
    return pid;
}

UniqueFd open_pidfd(pid_t pid) {
    auto opened = kernel::open_process(pid);
    EXPECT_TRUE(opened);
    return opened ? std::move(*opened) : UniqueFd();
}

} // namespace

Pipe make_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    return {.read = UniqueFd(ends[0]), .write = UniqueFd(ends[1])};
}

UserTerminal make_user_terminal(unsigned short rows, unsigned short columns) {
    UserTerminal terminal;
    terminal.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_EQ(::unlockpt(terminal.master.get()), 0);
    terminal.slave.reset(
        ::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_TRUE(terminal.slave);
    resize(terminal, rows, columns);
    return terminal;
}

void resize(const UserTerminal& terminal, unsigned short rows, unsigned short columns) {
    winsize size{};
    size.ws_row = rows;
    size.ws_col = columns;
    EXPECT_EQ(::ioctl(terminal.master.get(), TIOCSWINSZ, &size), 0);
}

void type(const UserTerminal& terminal, const std::string& keys) {
    EXPECT_TRUE(kernel::write_all(terminal.master.get(), keys));
}

Result<std::string> await_text(UserTerminal& terminal, const std::string& text) {
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
    std::size_t at = 0;
    while ((at = terminal.unread.find(text)) == std::string::npos) {
        pollfd wait{.fd = terminal.master.get(), .events = POLLIN, .revents = 0};
        std::array<char, 4096> chunk{};
        if (::poll(&wait, 1, deadline.poll_timeout()) != 1) {
            return fail(ErrorCode::timeout, "'" + text + "' never came after: " + terminal.unread);
        }
        const ssize_t size = ::read(terminal.master.get(), chunk.data(), chunk.size());
        if (size <= 0) {
            return fail_errno("read", "the terminal");
        }
        terminal.unread.append(chunk.data(), static_cast<std::size_t>(size));
    }
    std::string seen = terminal.unread.substr(0, at + text.size());
    terminal.unread.erase(0, at + text.size());
    return seen;
}

CliProcess::CliProcess(const LodgeHost& host,
                       const std::vector<std::string>& arguments,
                       const CliStreams& streams)
    : pid_(start(host, arguments, streams, false)), pidfd_(open_pidfd(pid_)) {}

CliProcess::CliProcess(const LodgeHost& host,
                       const std::vector<std::string>& arguments,
                       const UserTerminal& terminal)
    : pid_(start(
          host,
          arguments,
          {.in = terminal.slave.get(), .out = terminal.slave.get(), .err = terminal.slave.get()},
          true)),
      pidfd_(open_pidfd(pid_)) {}

CliProcess::~CliProcess() {
    if (pid_ > 0) {
        (void)::kill(pid_, SIGKILL);
        (void)::waitpid(pid_, nullptr, 0);
    }
}

bool CliProcess::running() const {
    pollfd wait{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    return pid_ > 0 && ::poll(&wait, 1, 0) == 0;
}

void CliProcess::signal(int number) const {
    EXPECT_TRUE(kernel::send_signal(pidfd_.get(), number));
}

int CliProcess::wait() {
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(30)));
    pollfd wait{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    if (pid_ > 0 && ::poll(&wait, 1, deadline.poll_timeout()) == 1) {
        int status = 0;
        (void)::waitpid(pid_, &status, 0);
        pid_ = -1;
        constexpr int kSignalBase = 128;
        code_ = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
    }
    return code_;
}

} // namespace lodge::test
