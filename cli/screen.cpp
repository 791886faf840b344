#include "cli/attach.hpp"
#include "cli/connection.hpp"
#include "cli/flow.hpp"
#include "cli/terminal.hpp"
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace lodge::cli {

using session::FrameType;

namespace {

// An end of file on stdin. On a terminal it means a hang-up. On another file it means only that no
// more input comes.
bool hung_up() {
    return ::isatty(STDIN_FILENO) == 1;
}

// Waits for the command to start on the container's terminal; the session may end before. Until
// then our terminal is not in raw mode, so that Ctrl-C is a signal, which ends us.
Result<Ending> await_terminal(int connection, int signal_fd, UniqueFd& master) {
    Ending ending;
    while (!ending.started && !ending.over) {
        std::array<pollfd, 2> waits{{{connection, POLLIN, 0}, {signal_fd, POLLIN, 0}}};
        (void)::poll(waits.data(), waits.size(), -1); // does not fail: signals are blocked
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

// The container's terminal, connected with ours.
struct Screen {
    UniqueFd master;
    Flow keyboard;
    Flow output;
};

// Returns the code to end with; nullopt: go on.
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
        return code_of_signal(number); // our end hangs up the container's side
    }
    if (screen.master) {
        copy_window_size(STDIN_FILENO, screen.master.get());
    }
    return std::nullopt;
}

Status send_size(int connection) {
    const WindowSize size = window_size(STDIN_FILENO);
    const session::ResizePayload payload{.rows = size.rows, .columns = size.columns};
    return unless_closed(
        session::send_frame(connection, FrameType::resize, std::as_bytes(std::span(&payload, 1))));
}

constexpr char kDetachKey = 0x1d; // Ctrl-]

// The code to end with; nullopt: go on.
using CodeAtEnd = Result<std::optional<int>>;

CodeAtEnd show_console(int connection) {
    ASSIGN_OR_RETURN(const session::Frame frame, session::receive_frame(connection));
    if (frame.type == FrameType::exited) {
        return 0;
    }
    if (frame.type == FrameType::error) {
        return std::unexpected<Error>(error_of(frame));
    }
    if (frame.type == FrameType::terminal_data) {
        RETURN_IF_ERROR(kernel::write_all(
            STDOUT_FILENO,
            {reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size()}));
    }
    return std::nullopt;
}

CodeAtEnd take_console_signal(int connection, int signal_fd) {
    const int number = next_signal(signal_fd);
    if (number != SIGWINCH) {
        return code_of_signal(number);
    }
    RETURN_IF_ERROR(send_size(connection));
    return std::nullopt;
}

CodeAtEnd take_keys(int connection, bool& input_open) {
    std::array<char, 4096> chunk{};
    const ssize_t size = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (size <= 0 && hung_up()) {
        return code_of_signal(SIGHUP);
    }
    input_open = size > 0;
    const std::string_view keys(chunk.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::string_view typed = keys.substr(0, keys.find(kDetachKey));
    RETURN_IF_ERROR(unless_closed(session::send_frame(
        connection, FrameType::terminal_data, std::as_bytes(std::span(typed)))));
    return typed.size() < keys.size() ? CodeAtEnd(0) : CodeAtEnd(std::nullopt);
}

} // namespace

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

Result<int> run_console(const UniqueFd& connection, const std::function<void()>& greet) {
    ASSIGN_OR_RETURN(const UniqueFd signals, watch_signals());
    const RawTerminal raw(STDIN_FILENO);
    RETURN_IF_ERROR(send_size(connection.get()));
    constexpr int kQuietMs = 100;
    const Deadline last_moment = Deadline::after(std::chrono::seconds(1));
    bool greeted = false;
    bool input_open = true;
    std::optional<int> code;
    while (!code) {
        std::array<pollfd, 3> waits{{{connection.get(), POLLIN, 0},
                                     {signals.get(), POLLIN, 0},
                                     {input_open ? STDIN_FILENO : -1, POLLIN, 0}}};
        const int ready = ::poll(waits.data(), waits.size(), greeted ? -1 : kQuietMs);
        if (ready < 0) {
            if (errno != EINTR) {
                return fail_errno("poll");
            }
            continue;
        }
        if (!greeted && (ready == 0 || last_moment.expired() || waits[2].revents != 0)) {
            greeted = true;
            greet();
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

} // namespace lodge::cli
