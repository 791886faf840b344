#include "daemon/monitor/server.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

// Bounds on what the daemon's clients can make one monitor hold.
constexpr std::size_t kMostConnections = 64;
// Further connections, for subscribers to init's end.
constexpr std::size_t kMostSubscribers = 8;
// A connection that is silent for this long gives its place to another when places are short. A
// daemon sends one request on a connection, at once.
constexpr auto kIdle = std::chrono::seconds(1);
constexpr std::size_t kMostSessions = 128;
// Most bytes of the orders whose clients have not started them yet; a further order is refused.
constexpr std::size_t kMostWaiting = std::size_t{16} << 20;

// man 2 reboot, "Behavior inside PID namespaces".
constexpr int kRebootSignal = SIGHUP;
constexpr int kHaltSignal = SIGINT;

// An explicit message, because a silent end looks like a monitor's death.
Error too_many_connections() {
    return {ErrorCode::busy, "the container's monitor has its most connections; try again"};
}

// The values of the daemon's InitExit::Kind, plus one.
enum ExitKind : std::uint8_t { halted = 1, rebooted = 2, exited = 3, signalled = 4 };

void describe_exit(int wait_status, MonitorState& state) {
    if (WIFEXITED(wait_status)) {
        state.exit_kind = exited;
        state.exit_status = WEXITSTATUS(wait_status);
        return;
    }
    const int number = WTERMSIG(wait_status);
    // An init gets no signal that it does not handle, from inside or outside, so these two mean
    // reboot(2) and nothing else.
    state.exit_kind = number == kRebootSignal ? rebooted
                      : number == kHaltSignal ? halted
                                              : signalled;
    state.exit_status = number;
}

} // namespace

struct Server::Connection final : Watcher {
    Connection(Server& owner, UniqueFd fd) : server(owner), socket(std::move(fd)) {}
    void ready(std::uint32_t) override { server.serve(*this); }
    [[nodiscard]] bool idles() const { return !subscribed && idle_from.expired(); }
    Server& server;
    UniqueFd socket;
    Deadline idle_from = Deadline::after(kIdle);
    bool greeted = false;
    bool subscribed = false;
    std::optional<ExecOrder> session; ///< agreed to, for the next client
    bool console = false;             ///< the same for a console
};

Server::Server(Container container, Loop loop)
    : container_(std::move(container)), loop_(std::move(loop)),
      session_context_{.container = container_.pidfd.get(),
                       .cgroup = container_.order.cgroup.get(),
                       .proc = container_.proc.get(),
                       .seccomp_program = &container_.order.seccomp_program},
      console_(loop_, std::move(container_.console), container_.order.console_log_bytes),
      listener_port_(*this, &Server::accept_connection), child_port_(*this, &Server::reap) {}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::create(Container container, UniqueFd channel) {
    ASSIGN_OR_RETURN(Loop loop, Loop::create());
    std::unique_ptr<Server> server(new Server(std::move(container), std::move(loop)));
    RETURN_IF_ERROR(server->watch());
    server->add_connection(std::move(channel), true);
    return server;
}

Status Server::watch() {
    sigset_t child;
    (void)::sigemptyset(&child);
    (void)::sigaddset(&child, SIGCHLD);
    child_signals_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!child_signals_) {
        return fail_errno("signalfd");
    }
    RETURN_IF_ERROR(loop_.add(child_signals_.get(), EPOLLIN, child_port_));
    RETURN_IF_ERROR(loop_.add(container_.listener.get(), EPOLLIN, listener_port_));
    return console_.open();
}

Status Server::run() {
    while (!released_) {
        RETURN_IF_ERROR(loop_.turn());
    }
    return {};
}

void Server::accept_connection(std::uint32_t) {
    UniqueFd socket(
        ::accept4(container_.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        return; // the client is gone already
    }
    const auto peer = kernel::peer_credentials(socket.get());
    if (!peer || peer->uid != 0) {
        return; // closed: its reader sees the end of the file
    }
    if (connections_.size() >= kMostConnections) {
        drop_idle();
    }
    if (connections_.size() >= kMostConnections + kMostSubscribers) {
        (void)send_failure(socket.get(), StartStage::none, too_many_connections()); // closed anyway
        return;
    }
    add_connection(std::move(socket), false);
}

void Server::drop_idle() {
    for (std::size_t i = connections_.size(); i-- > 0;) {
        const Connection& connection = *connections_[i];
        if (connection.idles()) {
            (void)send_failure( // it is dropped in any case
                connection.socket.get(),
                StartStage::none,
                too_many_connections());
            drop(connection);
        }
    }
}

void Server::add_connection(UniqueFd socket, bool subscribed) {
    auto connection = std::make_unique<Connection>(*this, std::move(socket));
    connection->greeted = subscribed;
    connection->subscribed = subscribed;
    if (loop_.add(connection->socket.get(), EPOLLIN, *connection)) {
        connections_.push_back(std::move(connection));
        if (subscribed && exit_) {
            announce_exit();
        }
    }
}

void Server::drop(const Connection& connection) {
    loop_.remove(connection.socket.get());
    std::erase_if(connections_, [&](const auto& held) { return held.get() == &connection; });
}

void Server::serve(Connection& connection) {
    auto request = receive(connection.socket.get(), Deadline::after(std::chrono::seconds(0)));
    if (!request) {
        if (request.error().code() != ErrorCode::timeout) {
            drop(connection);
        }
        return;
    }
    connection.idle_from = Deadline::after(kIdle);
    Status status = answer(connection, *request);
    if (!status && (!send_failure(connection.socket.get(), StartStage::none, status.error()) ||
                    !connection.greeted)) {
        drop(connection); // it asks and does not read, or was refused
    }
}

Status Server::answer(Connection& connection, Message& request) {
    const int socket = connection.socket.get();
    if (request.type != MessageType::hello && !connection.greeted) {
        return fail(ErrorCode::invalid_state, "the connection was not greeted");
    }
    if (request.type == MessageType::hello) {
        return greet(connection, request);
    }
    if (request.type == MessageType::status) {
        return send(socket, MessageType::status, status());
    }
    if (request.type == MessageType::console_log) {
        return send(socket, MessageType::console_log, console_.log());
    }
    RETURN_IF_ERROR(obey(connection, request));
    return send(socket, MessageType::done);
}

Status Server::obey(Connection& connection, Message& request) {
    if (request.type == MessageType::signal) {
        return signal_init(request);
    }
    if (request.type == MessageType::exec_order) {
        ASSIGN_OR_RETURN(connection.session, agree_to_session(request));
        return {};
    }
    if (request.type == MessageType::console_order) {
        return agree_to_console(connection);
    }
    if (request.type == MessageType::client) {
        return take_client(connection, request);
    }
    if (request.type == MessageType::exec) {
        ASSIGN_OR_RETURN(ExecOrder order, agree_to_session(request));
        return start_session(std::move(order), request);
    }
    if (request.type == MessageType::console) {
        return attach_console(request);
    }
    if (request.type == MessageType::release) {
        return release();
    }
    return fail(ErrorCode::unsupported, "this monitor is older than the request");
}

Status Server::greet(Connection& connection, const Message& request) {
    Reader reader(request.payload);
    (void)reader.u16(); // the daemon's version: only one exists so far
    connection.subscribed = reader.u8() != 0;
    if (!reader.ok()) {
        return fail(ErrorCode::corrupt, "malformed greeting");
    }
    if (!connection.subscribed && connections_.size() > kMostConnections) {
        return std::unexpected<Error>(too_many_connections());
    }
    connection.greeted = true;
    RETURN_IF_ERROR(send(connection.socket.get(),
                         MessageType::welcome,
                         Writer().u16(kVersion).i32(::getpid()).payload()));
    if (connection.subscribed && exit_) {
        return send(connection.socket.get(), MessageType::exited);
    }
    return {};
}

std::string Server::status() const {
    MonitorState state;
    state.init_pid = container_.pid;
    state.init_start_time = container_.start_time;
    state.sessions = static_cast<std::uint32_t>(sessions_.size() + console_.clients());
    if (exit_) {
        describe_exit(*exit_, state);
    }
    return encode(state);
}

Status Server::signal_init(const Message& request) {
    const int number = Reader(request.payload).i32();
    if (exit_) {
        return fail(ErrorCode::invalid_state, "init has exited");
    }
    if (number <= 0 || number >= NSIG) {
        return fail(ErrorCode::invalid_argument,
                    "no signal has the number " + std::to_string(number));
    }
    return kernel::send_signal(container_.pidfd.get(), number);
}

std::size_t Server::waiting() const {
    std::size_t size = 0;
    for (const auto& connection : connections_) {
        if (const std::optional<ExecOrder>& order = connection->session) {
            size += size_of(*order);
        }
    }
    for (const auto& session : sessions_) {
        size += session->waiting();
    }
    return size;
}

Result<ExecOrder> Server::agree_to_session(const Message& request) {
    if (exit_) {
        return fail(ErrorCode::invalid_state, "init has exited");
    }
    const auto agreed = std::count_if(
        connections_.begin(), connections_.end(), [](const auto& c) { return c->session; });
    if (sessions_.size() + static_cast<std::size_t>(agreed) >= kMostSessions) {
        return fail(ErrorCode::resource_exhausted,
                    "the container has its most sessions already (" +
                        std::to_string(kMostSessions) + "): end one first");
    }
    if (waiting() > kMostWaiting) {
        return fail(ErrorCode::resource_exhausted,
                    "too many sessions with long commands wait for their clients to begin: try "
                    "again");
    }
    return decode_exec_order(request);
}

Status Server::agree_to_console(Connection& connection) {
    const auto agreed = std::count_if(
        connections_.begin(), connections_.end(), [](const auto& c) { return c->console; });
    if (console_.clients() + static_cast<std::size_t>(agreed) >= Console::kMostClients) {
        return Console::full();
    }
    connection.console = true;
    return {};
}

Status Server::take_client(Connection& connection, Message& request) {
    if (std::exchange(connection.console, false)) {
        return attach_console(request);
    }
    std::optional<ExecOrder> order = std::exchange(connection.session, std::nullopt);
    if (!order) {
        return fail(ErrorCode::invalid_state, "nothing was ordered for a client");
    }
    return start_session(std::move(*order), request);
}

Status Server::start_session(ExecOrder order, Message& request) {
    if (exit_) {
        return fail(ErrorCode::invalid_state, "init has exited");
    }
    if (request.fds.size() != 1) {
        return fail(ErrorCode::corrupt, "one connection was expected");
    }
    auto session = std::make_unique<Session>(
        loop_, session_context_, std::move(order), std::move(request.fds[0]));
    RETURN_IF_ERROR(session->open());
    session->on_change = [this] { remove_ended_sessions(); };
    sessions_.push_back(std::move(session));
    return {};
}

Status Server::attach_console(Message& request) {
    if (request.fds.size() != 1) {
        return fail(ErrorCode::corrupt, "one connection was expected");
    }
    return console_.attach(std::move(request.fds[0]));
}

Status Server::release() {
    if (!exit_) {
        return fail(ErrorCode::invalid_state, "init still runs");
    }
    released_ = true;
    return {};
}

void Server::reap(std::uint32_t) {
    signalfd_siginfo info{};
    while (::read(child_signals_.get(), &info, sizeof info) > 0) {
        // One signal may stand for many children, so check all.
    }
    while (true) {
        int wait_status = 0;
        const pid_t pid = ::waitpid(-1, &wait_status, WNOHANG);
        if (pid <= 0) {
            break;
        }
        if (WIFSTOPPED(wait_status)) {
            let_go_of_traced(pid, WSTOPSIG(wait_status));
        } else {
            ended(pid, wait_status);
        }
    }
    remove_ended_sessions();
}

void Server::ended(pid_t pid, int wait_status) {
    if (pid == container_.pid) {
        init_ended(wait_status);
        return;
    }
    for (const auto& session : sessions_) {
        if (session->pid() == pid) {
            session->reaped(wait_status);
            return;
        }
    }
}

// A child that asked to be traced by its parent (PTRACE_TRACEME) made us its tracer, and waitpid(2)
// reports a tracee's stops unasked. A stop is no end: the child continues as if nobody traced it. A
// child that only stops costs us time, so that has a bound. `pid` may be a thread's.
void Server::let_go_of_traced(pid_t pid, int signal_number) {
    constexpr auto kWindow = std::chrono::seconds(1);
    constexpr unsigned kMostInWindow = 64;
    if (trace_window_.expired()) {
        trace_window_ = Deadline::after(kWindow);
        traced_ = 0;
    }
    if (++traced_ > kMostInWindow) {
        (void)::kill(pid, SIGKILL); // our child and not reaped: it exists
        return;
    }
    // SIGTRAP reports an execve(2) to a tracer, so the child must not get it.
    const long passed_on = signal_number == SIGTRAP ? 0 : signal_number;
    (void)::ptrace(PTRACE_DETACH, pid, nullptr, passed_on); // it may have been killed meanwhile
}

void Server::init_ended(int wait_status) {
    exit_ = wait_status;
    console_.finish(0);
    announce_exit();
}

void Server::announce_exit() {
    for (std::size_t i = connections_.size(); i-- > 0;) {
        Connection& connection = *connections_[i];
        if (connection.subscribed && !send(connection.socket.get(), MessageType::exited)) {
            drop(connection);
        }
    }
}

void Server::remove_ended_sessions() {
    std::erase_if(sessions_, [](const auto& session) { return session->ended(); });
}

} // namespace lodge::monitor
