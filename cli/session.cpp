#include "lib/session/session.hpp"

#include "cli/flow.hpp"
#include "cli/output.hpp"
#include "cli/terminal.hpp"
#include "cli/words.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/pipe.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

using nlohmann::json;
using session::Frame;
using session::FrameType;

struct SessionOptions {
    std::string name;
    std::vector<std::string> environment;
    std::string user;
    std::string directory;
    bool terminal = false;
    bool no_terminal = false;
    bool with_input = true; // the default, for -i
    bool without_input = false;
    std::vector<std::string> command;
};

template <typename T>
T payload_of(const Frame& frame) {
    T value{};
    std::memcpy(&value, frame.payload.data(), std::min(sizeof value, frame.payload.size()));
    return value;
}

// What the monitor says in the end: the exit code, or why there is none.
struct Ending {
    bool over = false;
    int code = 0;
    bool started = false; ///< by this frame
};

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
        const auto head = payload_of<session::ErrorPayload>(frame);
        const std::size_t offset = std::min(sizeof head, frame.payload.size());
        const std::string text(reinterpret_cast<const char*>(frame.payload.data()) + offset,
                               frame.payload.size() - offset);
        const Error error(static_cast<ErrorCode>(head.code), text);
        if (error.code() == ErrorCode::timeout) {
            return std::unexpected<Error>(error); // ours to tell: no command has an exit code
        }
        report({}, error);
    }
    return Ending{};
}

// Signals that a user means for the command, and the terminal's change of size, as a descriptor.
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

// One of the three streams, through a pipe of ours: a tenant never holds anything of the caller's.
// One who held a script's pipe could read, write or keep it open long after the command.
struct Stream {
    Stream(UniqueFd their_end, UniqueFd our_end, int source, int sink)
        : theirs(std::move(their_end)), ours(std::move(our_end)), flow(source, sink) {}
    UniqueFd theirs; ///< what the command gets
    UniqueFd ours;   ///< our end, when we pump
    Flow flow;
};

// Without a local one, it has ended from the beginning.
Result<Stream> make_stream(int local, bool input) {
    ASSIGN_OR_RETURN(kernel::Pipe pipe, kernel::make_pipe());
    // Its owner is nobody inside, and /dev/stdout opens it anew: for everybody, that is, who comes
    // upon a descriptor of it.
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

// Moves what is there; closes our end when one side is done.
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
    RETURN_IF_ERROR(
        session::send_frame(connection,
                            FrameType::stdio,
                            {},
                            std::array{in.theirs.get(), out.theirs.get(), err.theirs.get()}));
    Streams streams{std::move(in), std::move(out), std::move(err)};
    for (Stream& stream : streams) {
        stream.theirs.reset(); // ends of files must be seen
    }
    return streams;
}

Status forward_signal(int connection, int number) {
    const session::SignalPayload payload{.number = number};
    return payload.number == SIGWINCH ? Status{}
                                      : session::send_frame(connection,
                                                            FrameType::signal,
                                                            std::as_bytes(std::span(&payload, 1)));
}

// Whoever asks for the third time means us: the command does not heed it, or nothing reaches it.
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

// What a shell reports of a program that a signal ended: we end as by its default action, but the
// terminal is put in order first.
int code_of_signal(int number) {
    constexpr int kSignalBase = 128;
    return kSignalBase + number;
}

// A reader who went away wanted no more; any other failure has lost what the command said.
Status all_written(std::initializer_list<const Flow*> outputs) {
    for (const Flow* flow : outputs) {
        if (flow->sink_error() != 0 && flow->sink_error() != EPIPE) {
            return fail_errno("write the command's output", {}, flow->sink_error());
        }
    }
    return {};
}

Result<int> run_piped(const UniqueFd& connection, bool without_input) {
    ASSIGN_OR_RETURN(const UniqueFd signals, watch_signals());
    ASSIGN_OR_RETURN(Streams streams, hand_over_streams(connection.get(), without_input));
    Flow& out = streams[1].flow;
    Flow& err = streams[2].flow;
    Ending ending;
    Patience patience;
    // After the exit, what lies in the pipes of the output is fetched, and nothing that comes
    // later: the command may have left a process behind that writes for ever.
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
            const int number = next_signal(signals.get());
            if (patience.ends_with(number) || (ending.over && number != SIGWINCH)) {
                return code_of_signal(number); // or whoever should read our output does not
            }
            if (!ending.over) {
                RETURN_IF_ERROR(forward_signal(connection.get(), number));
            }
        }
    }
    RETURN_IF_ERROR(all_written({&out, &err}));
    return ending.code;
}

// The end of a file that is no terminal only means that nobody types any more; a terminal has none,
// unless it hung up.
bool hung_up() {
    return ::isatty(STDIN_FILENO) == 1;
}

// Waits for the command to start on the container's terminal; the session may end before. Until
// then ours is as it was, so that Ctrl-C is a signal, which ends us.
Result<Ending> await_terminal(int connection, int signal_fd, UniqueFd& master) {
    Ending ending;
    while (!ending.started && !ending.over) {
        std::array<pollfd, 2> waits{{{connection, POLLIN, 0}, {signal_fd, POLLIN, 0}}};
        (void)::poll(waits.data(), waits.size(), -1); // signals are blocked: it does not fail
        if (waits[1].revents != 0) {
            const int number = next_signal(signal_fd);
            ending =
                number == SIGWINCH ? ending : Ending{.over = true, .code = code_of_signal(number)};
        } else if (waits[0].revents != 0) {
            ASSIGN_OR_RETURN(ending, read_ending(connection, &master));
        }
    }
    if (!ending.over && ::fcntl(master.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        return fail_errno("fcntl(F_SETFL)", "the container's terminal");
    }
    return ending;
}

// The container's terminal beside ours.
struct Screen {
    UniqueFd master;
    Flow keyboard;
    Flow output;
};

// A code: we end with it.
std::optional<int> move_screen(Screen& screen, bool output_ready, bool keys_ready) {
    if (output_ready && screen.output.move() != Flow::State::flowing) {
        screen.output.close();
        screen.keyboard.close();
        screen.master.reset(); // the container's side sees a hang-up
    }
    if (!keys_ready || !screen.keyboard.open()) {
        return std::nullopt;
    }
    const Flow::State state = screen.keyboard.move();
    if (state == Flow::State::source_ended && hung_up()) {
        return code_of_signal(SIGHUP);
    }
    if (state != Flow::State::flowing) {
        screen.keyboard.close();
    }
    return std::nullopt;
}

std::optional<int> take_signal(const Screen& screen, int signal_fd) {
    const int number = next_signal(signal_fd);
    if (number != SIGWINCH) {
        return code_of_signal(number); // the container's side is hung up by our going
    }
    if (screen.master) {
        copy_window_size(STDIN_FILENO, screen.master.get());
    }
    return std::nullopt;
}

// Between our terminal and the container's: bytes never pass through the daemon or the monitor.
Result<int> run_terminal(const UniqueFd& connection) {
    ASSIGN_OR_RETURN(const UniqueFd signals, watch_signals());
    UniqueFd master;
    ASSIGN_OR_RETURN(Ending ending, await_terminal(connection.get(), signals.get(), master));
    if (ending.over) {
        return ending.code;
    }
    const RawTerminal raw(STDIN_FILENO);
    copy_window_size(STDIN_FILENO, master.get());
    const int fd = master.get();
    Screen screen{std::move(master), Flow(STDIN_FILENO, fd), Flow(fd, STDOUT_FILENO)};
    while (!ending.over || screen.output.open()) {
        std::array<pollfd, 4> waits{{{ending.over ? -1 : connection.get(), POLLIN, 0},
                                     {ending.over ? -1 : signals.get(), POLLIN, 0},
                                     screen.keyboard.wait(),
                                     screen.output.wait()}};
        const bool finished = ending.over && !screen.output.pending();
        if (::poll(waits.data(), waits.size(), finished ? 0 : -1) == 0) {
            break;
        }
        auto code = move_screen(screen, waits[3].revents != 0, waits[2].revents != 0);
        if (!code && waits[1].revents != 0) {
            code = take_signal(screen, signals.get());
        }
        if (code) {
            return *code;
        }
        if (waits[0].revents != 0) {
            ASSIGN_OR_RETURN(ending, read_ending(connection.get(), nullptr));
        }
        if (ending.over) {
            screen.keyboard.close();
        }
    }
    RETURN_IF_ERROR(all_written({&screen.output}));
    return ending.code;
}

Status send_size(int connection) {
    const WindowSize size = window_size(STDIN_FILENO);
    const session::ResizePayload payload{.rows = size.rows, .columns = size.columns};
    return session::send_frame(
        connection, FrameType::resize, std::as_bytes(std::span(&payload, 1)));
}

constexpr char kDetachKey = 0x1d; // Ctrl-]

// What an event of a console asks for: a code to end with, or to go on.
using Outcome = Result<std::optional<int>>;

Outcome show_console(int connection) {
    const auto frame = session::receive_frame(connection);
    if (!frame) {
        return frame.error().code() == ErrorCode::cancelled ? Outcome(0)
                                                            : std::unexpected<Error>(frame.error());
    }
    if (frame->type == FrameType::exited) {
        return 0;
    }
    if (frame->type == FrameType::terminal_data) {
        RETURN_IF_ERROR(kernel::write_all(
            STDOUT_FILENO,
            {reinterpret_cast<const char*>(frame->payload.data()), frame->payload.size()}));
    }
    return std::nullopt;
}

Outcome take_console_signal(int connection, int signal_fd) {
    const int number = next_signal(signal_fd);
    if (number != SIGWINCH) {
        return code_of_signal(number);
    }
    RETURN_IF_ERROR(send_size(connection));
    return std::nullopt;
}

Outcome take_keys(int connection, bool& input_open) {
    std::array<char, 4096> chunk{};
    const ssize_t size = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (size <= 0 && hung_up()) {
        return code_of_signal(SIGHUP);
    }
    input_open = size > 0;
    const std::string_view keys(chunk.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::string_view typed = keys.substr(0, keys.find(kDetachKey));
    RETURN_IF_ERROR(
        session::send_frame(connection, FrameType::terminal_data, std::as_bytes(std::span(typed))));
    return typed.size() < keys.size() ? Outcome(0) : Outcome(std::nullopt);
}

Result<int> run_console(const UniqueFd& connection) {
    ASSIGN_OR_RETURN(const UniqueFd signals, watch_signals());
    const RawTerminal raw(STDIN_FILENO);
    RETURN_IF_ERROR(send_size(connection.get()));
    bool input_open = true;
    std::optional<int> code;
    while (!code) {
        std::array<pollfd, 3> waits{{{connection.get(), POLLIN, 0},
                                     {signals.get(), POLLIN, 0},
                                     {input_open ? STDIN_FILENO : -1, POLLIN, 0}}};
        if (::poll(waits.data(), waits.size(), -1) < 0) {
            if (errno != EINTR) {
                return fail_errno("poll");
            }
            continue;
        }
        if (waits[0].revents != 0) {
            ASSIGN_OR_RETURN(code, show_console(connection.get()));
        }
        if (!code && waits[1].revents != 0) {
            ASSIGN_OR_RETURN(code, take_console_signal(connection.get(), signals.get()));
        }
        if (!code && waits[2].revents != 0) {
            ASSIGN_OR_RETURN(code, take_keys(connection.get(), input_open));
        }
    }
    return *code;
}

// What a terminal is able to do is known where it stands.
std::vector<std::string> environment_of(const SessionOptions& options, bool terminal) {
    std::vector<std::string> environment = options.environment;
    const char* type = std::getenv("TERM"); // NOLINT(concurrency-mt-unsafe): one thread
    const bool given =
        std::any_of(environment.begin(), environment.end(), [](const std::string& entry) {
            return entry.starts_with("TERM=");
        });
    if (terminal && !given && type != nullptr && *type != '\0') {
        environment.push_back(std::string("TERM=") + type);
    }
    return environment;
}

Result<int> exec(const Globals& globals, const SessionOptions& options, bool login_shell) {
    const bool terminal =
        !options.no_terminal && (options.terminal || (login_shell && ::isatty(STDIN_FILENO) == 1));
    json request{{"terminal", terminal}, {"environment", environment_of(options, terminal)}};
    if (login_shell) {
        request["login_shell"] = true;
    } else {
        request["argv"] = options.command;
    }
    if (!options.user.empty()) {
        request["user"] = options.user;
    }
    if (!options.directory.empty()) {
        request["directory"] = options.directory;
    }
    if (terminal) {
        const WindowSize size = window_size(STDIN_FILENO);
        request["rows"] = size.rows;
        request["columns"] = size.columns;
    }
    ASSIGN_OR_RETURN(const UniqueFd connection,
                     globals.client().upgrade("/v1/containers/" + escaped(options.name) + "/exec",
                                              request.dump()));
    return terminal ? run_terminal(connection) : run_piped(connection, options.without_input);
}

Result<int> console(const Globals& globals, const SessionOptions& options, bool log) {
    const std::string path = "/v1/containers/" + escaped(options.name);
    if (log) {
        ASSIGN_OR_RETURN(const std::string text,
                         globals.client().call("GET", path + "/console-log"));
        ASSIGN_OR_RETURN(const json answer, parse_answer(text));
        if (globals.json) {
            print_json(answer);
            return 0;
        }
        RETURN_IF_ERROR(
            with_context(print_text(answer.value("log", "")), "write to standard output"));
        return 0;
    }
    confirm(globals, "Connected to the console of '" + options.name + "'; leave it with Ctrl-]");
    ASSIGN_OR_RETURN(const UniqueFd connection, globals.client().upgrade(path + "/console", ""));
    return run_console(connection);
}

} // namespace

void add_session_commands(const Registry& registry) {
    const Globals& globals = registry.globals;
    const auto options = std::make_shared<SessionOptions>();
    CLI::App* executing =
        registry.add(registry.app, "exec", "Run a command in a container", [&globals, options] {
            return exec(globals, *options, false);
        });
    CLI::App* entering = registry.add(
        registry.app, "enter", "Open a login shell in a container", [&globals, options] {
            return exec(globals, *options, true);
        });
    for (CLI::App* command : {executing, entering}) {
        command->add_option("NAME", options->name, "The container")->required();
        add_list(*command, "--env,-e", options->environment, "KEY=VALUE for the command");
        command->add_option("--user,-u", options->user, "Name or number inside (root)");
        command->add_option("--cwd", options->directory, "Directory to start in (the user's home)");
        command->add_flag("-T,--no-tty", options->no_terminal, "No terminal");
    }
    CLI::Option* terminal = executing->add_flag("-t,--tty", options->terminal, "With a terminal");
    CLI::Option* interactive = executing->add_flag(
        "-i,--interactive", options->with_input, "Pass stdin on, as without it");
    executing->add_flag("-n,--no-stdin", options->without_input, "Nothing from stdin")
        ->excludes(terminal)
        ->excludes(interactive);
    add_rest(*executing, "COMMAND", options->command, "The command and its arguments, all words")
        ->required();
    const auto log = std::make_shared<bool>(false);
    CLI::App* watching = registry.add(
        registry.app, "console", "Attach to a container's console", [&globals, options, log] {
            return console(globals, *options, *log);
        });
    watching->add_option("NAME", options->name, "The container")->required();
    watching->add_flag("--log", *log, "Print what was kept of it and return");
}

} // namespace lodge::cli
