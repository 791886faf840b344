#include "daemon/runtime/monitor_client.hpp"

#include "daemon/runtime/halt_signal.hpp"
#include "lib/kernel/memory_file.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/process.hpp"
#include "lib/session/session.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include <poll.h>

namespace lodge::daemon {

namespace {

using monitor::MessageType;
using namespace std::chrono_literals;

// A monitor answers at once; only a machine that hangs takes this long.
constexpr auto kAnswerDeadline = 10s;
constexpr auto kSleeperDeadline = 1s; // after which it may be one that somebody stopped
constexpr auto kCrowdedLook = 20ms;   // one without a free place says when there is none, not when

std::optional<InitExit> decode_exit(const monitor::MonitorState& state) {
    if (state.exit_kind == 0) {
        return std::nullopt;
    }
    constexpr auto kLast = static_cast<std::uint8_t>(InitExit::Kind::signalled);
    const auto kind = static_cast<std::uint8_t>(state.exit_kind - 1);
    return InitExit{.kind = kind <= kLast ? static_cast<InitExit::Kind>(kind)
                                          : InitExit::Kind::signalled,
                    .status = state.exit_status};
}

// Nobody listens, or the listener has closed: an ending monitor may still accept a connection and
// close it unread.
bool is_hung_up(const Error& error) {
    const int number = error.sys_errno();
    return error.code() == ErrorCode::cancelled || number == ECONNREFUSED || number == ENOENT ||
           number == EPIPE || number == ECONNRESET;
}

// The monitor has no place for another connection. A failure in it for another reason has an errno.
bool is_crowded(const Error& error) {
    return error.code() == ErrorCode::busy && error.sys_errno() == 0;
}

// The error of a call to a monitor that is gone becomes not_found.
template <typename T>
Result<T> told_of_monitor(Result<T> result) {
    if (!result && is_hung_up(result.error())) {
        return std::unexpected<Error>(std::move(result).error().with_code(ErrorCode::not_found));
    }
    return result;
}

// The process that listens at the other end (SO_PEERCRED: as of its listen(2)). not_found when it
// is gone.
Result<UniqueFd> open_peer(int socket) {
    ASSIGN_OR_RETURN(const kernel::PeerCredentials peer, kernel::peer_credentials(socket));
    auto pidfd = kernel::open_process(peer.pid);
    pollfd wait{.fd = socket, .events = 0, .revents = 0};
    const bool closed = ::poll(&wait, 1, 0) > 0; // POLLHUP: then the number may be another's
    if (closed || (!pidfd && pidfd.error().sys_errno() == ESRCH)) {
        return fail(ErrorCode::not_found, "the container's monitor has ended");
    }
    return pidfd;
}

// Sends SIGCONT to a monitor that somebody stopped (SIGSTOP): a container must not stay unwatched.
// It does nothing to a running one. Pre: the connection is open, so that the number is still the
// monitor's.
Status wake(int socket) {
    ASSIGN_OR_RETURN(const UniqueFd pidfd, open_peer(socket));
    return kernel::send_signal(pidfd.get(), SIGCONT);
}

Result<monitor::Message> await_welcome(int socket) {
    auto welcome = monitor::expect(socket, MessageType::welcome, Deadline::after(kSleeperDeadline));
    if (welcome || welcome.error().code() != ErrorCode::timeout) {
        return welcome;
    }
    RETURN_IF_ERROR(wake(socket));
    return monitor::expect(socket, MessageType::welcome, Deadline::after(kAnswerDeadline));
}

// A monitor without a place says so and closes, perhaps before it reads our request. Its answer can
// still be read.
template <typename Await>
Result<monitor::Message> answer_to(const Status& sent, Await await) {
    Result<monitor::Message> answer = await();
    return !sent && !answer && is_hung_up(answer.error()) ? std::unexpected<Error>(sent.error())
                                                          : std::move(answer);
}

Result<MonitorConnection> greet(int directory_fd, bool subscribe) {
    ASSIGN_OR_RETURN(UniqueFd socket, kernel::connect_messages(directory_fd, monitor::kSocketName));
    const Status sent =
        monitor::send(socket.get(),
                      MessageType::hello,
                      monitor::Writer().u16(monitor::kFormat).u8(subscribe ? 1 : 0).payload());
    ASSIGN_OR_RETURN(const monitor::Message welcome,
                     answer_to(sent, [&] { return await_welcome(socket.get()); }));
    monitor::Reader reader(welcome.payload);
    MonitorConnection connection;
    connection.version = reader.u16();
    connection.pid = reader.i32();
    connection.socket = std::move(socket);
    if (!reader.ok()) {
        return fail(ErrorCode::corrupt, "malformed answer of a monitor");
    }
    return connection;
}

// A request for a client: the order for a present monitor, and the message for one of version 1,
// which gets it together with the client.
struct Order {
    MessageType type{};
    MessageType of_old{};
    std::string payload;
    std::size_t words = 0;
};

Status check_for_old(const Order& order) {
    if (order.words > monitor::kMostWordsOfOld || order.payload.size() > monitor::kLargestPayload) {
        return fail(ErrorCode::resource_exhausted,
                    "the command or its environment has more than 4096 words, or both have more "
                    "than 128 KiB: the container was started by an earlier release of Lodge, whose "
                    "monitor takes no more; restart it");
    }
    return {};
}

Result<monitor::Message> ask_once(int socket,
                                  MessageType request,
                                  const std::string& payload,
                                  MessageType answer,
                                  std::span<const int> fds = {}) {
    const Status sent = monitor::send(socket, request, payload, fds);
    return told_of_monitor(answer_to(
        sent, [&] { return monitor::expect(socket, answer, Deadline::after(kAnswerDeadline)); }));
}

Status
demand(int socket, MessageType request, const std::string& payload, std::span<const int> fds = {}) {
    RETURN_IF_ERROR(ask_once(socket, request, payload, MessageType::done, fds));
    return {};
}

// An order that is too long for a message goes in a file.
Status place(int socket, const Order& order) {
    if (order.payload.size() <= monitor::kLargestPayload) {
        return demand(socket, order.type, order.payload);
    }
    ASSIGN_OR_RETURN(const UniqueFd file, kernel::make_memory_file("lodge-order", order.payload));
    const std::array fds{file.get()};
    return demand(socket, order.type, {}, fds);
}

class ConnectedMonitor final : public Monitor {
  public:
    ConnectedMonitor(UniqueFd directory, UniqueFd events)
        : directory_(std::move(directory)), events_(std::move(events)) {}

    Result<MonitorStatus> status() override {
        ASSIGN_OR_RETURN(const monitor::Message answer,
                         ask(MessageType::status, {}, MessageType::status));
        ASSIGN_OR_RETURN(const monitor::MonitorState state,
                         monitor::decode_monitor_state(answer.payload));
        return MonitorStatus{
            .init = InitProcess{.pid = state.init_pid, .start_time = state.init_start_time},
            .exit = decode_exit(state),
            .sessions = state.sessions};
    }

    // The look comes first: a signal that was sent before init heeds it is lost.
    Result<Halting> ask_to_halt(const HaltRequest& request) override {
        const int number = halt_signal_number(request.signal);
        const bool deaf = is_deaf(request.init, number);
        return halting_of(signal_init(number), deaf);
    }

    Status signal_init(int signal_number) override {
        return command(MessageType::signal, monitor::Writer().i32(signal_number).payload());
    }

    Status exec(const ExecRequest& request, const TakeClient& take_client) override {
        const monitor::ExecOrder order{.argv = request.argv,
                                       .environment = request.environment,
                                       .user = request.user,
                                       .directory = request.directory,
                                       .login_shell = request.login_shell,
                                       .terminal = request.terminal,
                                       .rows = request.rows,
                                       .columns = request.columns};
        return serve({.type = MessageType::exec_order,
                      .of_old = MessageType::exec,
                      .payload = encode(order),
                      .words = std::max(order.argv.size(), order.environment.size())},
                     take_client);
    }

    Status console(const TakeClient& take_client) override {
        return serve(
            {.type = MessageType::console_order, .of_old = MessageType::console, .payload = {}},
            take_client);
    }

    Result<std::string> console_log() override {
        ASSIGN_OR_RETURN(monitor::Message answer,
                         ask(MessageType::console_log, {}, MessageType::console_log));
        return std::move(answer.payload);
    }

    Status release() override {
        RETURN_IF_ERROR(command(MessageType::release, {}));
        // The monitor is gone when its end of the subscribed connection closes.
        const Deadline deadline = Deadline::after(kAnswerDeadline);
        while (true) {
            auto message = monitor::receive(events_.get(), deadline);
            if (!message) {
                return message.error().code() == ErrorCode::cancelled
                           ? Status()
                           : std::unexpected<Error>(std::move(message).error());
            }
        }
    }

    int event_fd() const override { return events_.get(); }

  private:
    // A monitor that refuses for want of a place has not begun the request: ask again until there
    // is a place.
    template <typename Ask>
    auto ask_until_placed(Ask ask) -> decltype(ask()) {
        const Deadline deadline = Deadline::after(kAnswerDeadline);
        while (true) {
            auto told = ask();
            if (told || !is_crowded(told.error()) || deadline.expired()) {
                return with_context(std::move(told), "ask the container's monitor");
            }
            (void)::poll(nullptr, 0, static_cast<int>(kCrowdedLook.count())); // only time passes
        }
    }

    Result<monitor::Message>
    ask(MessageType request, const std::string& payload, MessageType answer) {
        return ask_until_placed([&]() -> Result<monitor::Message> {
            ASSIGN_OR_RETURN(const MonitorConnection connection,
                             connect_monitor(directory_.get(), false));
            return ask_once(connection.socket.get(), request, payload, answer);
        });
    }

    Status command(MessageType request, const std::string& payload) {
        RETURN_IF_ERROR(ask(request, payload, MessageType::done));
        return {};
    }

    // The monitor's consent, on the connection that it holds for. One of version 1 gives none.
    Result<MonitorConnection> agree(const Order& order) {
        return ask_until_placed([&]() -> Result<MonitorConnection> {
            ASSIGN_OR_RETURN(MonitorConnection connection,
                             connect_monitor(directory_.get(), false));
            RETURN_IF_ERROR(connection.version >= monitor::kTakesOrders
                                ? place(connection.socket.get(), order)
                                : check_for_old(order));
            return connection;
        });
    }

    Status serve(const Order& order, const TakeClient& take_client) {
        ASSIGN_OR_RETURN(const MonitorConnection connection, agree(order));
        const int socket = connection.socket.get();
        ASSIGN_OR_RETURN(const UniqueFd client, take_client());
        const std::array fds{client.get()};
        Status given = connection.version >= monitor::kTakesOrders
                           ? demand(socket, MessageType::client, {}, fds)
                           : demand(socket, order.of_old, order.payload, fds);
        if (!given) {
            // Nobody else can tell the client, which may be gone itself.
            (void)session::send_failure(client.get(), given.error());
        }
        return with_context(std::move(given), "hand the client to the container's monitor");
    }

    UniqueFd directory_;
    UniqueFd events_;
};

} // namespace

Result<UniqueFd> open_monitor_process(int directory_fd) {
    const auto look = [&]() -> Result<pid_t> {
        ASSIGN_OR_RETURN(
            const UniqueFd socket,
            told_of_monitor(kernel::connect_messages(directory_fd, monitor::kSocketName)));
        ASSIGN_OR_RETURN(const kernel::PeerCredentials peer,
                         kernel::peer_credentials(socket.get()));
        return peer.pid;
    };
    ASSIGN_OR_RETURN(const pid_t pid, look());
    auto pidfd = kernel::open_process(pid);
    // The listener is still there, so the number was not another process's meanwhile.
    ASSIGN_OR_RETURN(const pid_t again, look());
    if (again != pid) {
        return fail(ErrorCode::not_found, "the container's monitor has ended");
    }
    return pidfd;
}

std::string monitor_directory(const std::string& run_directory, const Uuid& container) {
    return run_directory + "/monitors/" + container.to_string();
}

Result<MonitorConnection> connect_monitor(int directory_fd, bool subscribe) {
    return told_of_monitor(greet(directory_fd, subscribe));
}

bool is_unwatched(const Error& error) {
    return error.code() == ErrorCode::not_found || error.code() == ErrorCode::timeout ||
           error.code() == ErrorCode::corrupt;
}

Result<Halting> halting_of(const Status& sent, bool deaf) {
    if (sent) {
        return deaf ? Halting::deaf : Halting::asked;
    }
    if (sent.error().code() != ErrorCode::invalid_state && !is_unwatched(sent.error())) {
        return std::unexpected<Error>(sent.error());
    }
    return Halting::gone;
}

std::unique_ptr<Monitor> make_monitor(UniqueFd directory, UniqueFd events) {
    return std::make_unique<ConnectedMonitor>(std::move(directory), std::move(events));
}

} // namespace lodge::daemon
