#include "daemon/monitor/session.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace lodge::monitor {

namespace {

// A leaf of the container's own tree: a group with controllers enabled below it takes no processes
// (man 7 cgroups, "no internal processes"), and systemd inside enables some. From here the
// container's systemd may move the process where it likes.
constexpr const char* kLeaf = ".lodge";

Result<kernel::Cloned> clone_into_leaf(int cgroup) {
    // The tree is the tenant's: the leaf may be gone, or be something that takes no processes.
    RETURN_IF_ERROR(kernel::make_directory_at(cgroup, kLeaf, 0755));
    ASSIGN_OR_RETURN(const UniqueFd leaf, kernel::open_directory_at(cgroup, kLeaf));
    return kernel::clone_process(0, leaf.get());
}

Result<kernel::Cloned> clone_into_container(int cgroup) {
    auto cloned = clone_into_leaf(cgroup);
    if (!cloned) {
        cloned = kernel::clone_process(0, cgroup);
    }
    return with_context(std::move(cloned), "make a process in the container's control group");
}

constexpr int kSignalBase = 128; // the exit code of a shell

// A healthy set-up takes milliseconds. But the tenant owns the tree that it walks and the group in
// which it runs, and may block it for ever: by a frozen group, a file whose server never answers, a
// SIGSTOP.
constexpr auto kSetUpDeadline = std::chrono::seconds(10);

std::int32_t exit_code(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : kSignalBase + WTERMSIG(wait_status);
}

} // namespace

Session::Session(Loop& loop, const SessionContext& context, ExecOrder order, UniqueFd connection)
    : loop_(loop), context_(context), order_(std::move(order)), client_(std::move(connection)),
      client_port_(*this, &Session::client_ready), child_port_(*this, &Session::child_ready),
      set_up_(loop, [this] { give_up_set_up(); }) {}

Session::~Session() {
    close_child_channel();
    loop_.remove(client_.fd());
}

Status Session::open() {
    if (!client_.open()) {
        return fail(ErrorCode::invalid_argument, "the client's connection is not a socket");
    }
    RETURN_IF_ERROR(loop_.add(client_.fd(), EPOLLIN, client_port_));
    return order_.terminal ? launch({}) : Status();
}

Status Session::launch(std::array<UniqueFd, 3> stdio) {
    ASSIGN_OR_RETURN(auto pair, kernel::make_message_pair());
    ASSIGN_OR_RETURN(const kernel::Cloned cloned, clone_into_container(context_.cgroup));
    if (cloned.pid == 0) {
        run_session_child(context_, order_, std::move(stdio), std::move(pair.second));
    }
    pid_ = cloned.pid;
    child_channel_ = std::move(pair.first);
    order_ = ExecOrder{};
    set_up_.set(Deadline::after(kSetUpDeadline));
    return loop_.add(child_channel_.get(), EPOLLIN, child_port_);
}

void Session::client_ready(std::uint32_t) {
    if (!client_.receive([this](const Client::Part& part) { handle(part); })) {
        drop_client();
    }
    if (ended() && on_change) {
        const auto notify = on_change; // a copy: the call destroys us
        notify();
    }
}

void Session::handle(const Client::Part& part) {
    if (part.type == session::FrameType::stdio && pid_ == 0 && !failed_) {
        std::vector<UniqueFd> fds = client_.take_fds();
        if (fds.size() != 3) {
            fail_session(Error(ErrorCode::invalid_argument, "three descriptors were expected"));
            return;
        }
        Status status = launch({std::move(fds[0]), std::move(fds[1]), std::move(fds[2])});
        if (!status) {
            fail_session(status.error());
        }
    } else if (part.type == session::FrameType::signal &&
               part.bytes.size() == sizeof(session::SignalPayload)) {
        session::SignalPayload payload{};
        std::memcpy(&payload, part.bytes.data(), sizeof payload);
        signal_command(payload.number);
    }
}

// Before the exec there is no command that could get the signal, so it ends the session. This
// checks for the exec first, because the client may know of it, from the command's output, before
// we have read the message.
void Session::signal_command(std::int32_t number) {
    if (number <= 0 || number >= NSIG) {
        return;
    }
    hear_child();
    if (!executed_ && !failed_) {
        end_session(kSignalBase + number);
    } else if (executed_ && pid_ > 0) {
        // The process group of the session, because a terminal's Ctrl-C also reaches a whole
        // pipeline. The leader is not reaped while pid_ is set, so no other process has this pid.
        (void)::kill(-pid_, number); // it may be ending: then `exited` follows
    }
}

void Session::give_up_set_up() {
    fail_session(Error(ErrorCode::timeout,
                       "the container kept the command from starting for " +
                           std::to_string(kSetUpDeadline.count()) +
                           " s: what a session walks or lives in there is held (a frozen control "
                           "group, a file system that does not answer, a SIGSTOP); `lodge stop "
                           "--force` ends it whatever holds it"));
}

void Session::fail_session(const Error& error) {
    (void)client_.send_error(error); // it is dropped in any case
    end_session(session::kCannotExecute);
}

// Ends a session before its exec. Its process may be blocked where even SIGKILL does not end it,
// but the client must not wait for that.
void Session::end_session(std::int32_t code) {
    failed_ = true;
    (void)client_.send_exited(code); // it is dropped in any case
    drop_client();
}

void Session::drop_client() {
    loop_.remove(client_.fd());
    client_.close();
    if (pid_ > 0) {
        // The leader gets SIGHUP, as after a hang-up of a terminal. A child before its exec is no
        // longer needed.
        (void)::kill(pid_, executed_ ? SIGHUP : SIGKILL);
        (void)::kill(pid_, SIGCONT);
    }
}

void Session::hear_child() {
    pollfd wait{.fd = child_channel_.get(), .events = POLLIN, .revents = 0};
    while (child_channel_ && ::poll(&wait, 1, 0) > 0) {
        child_ready(0);
    }
}

void Session::child_ready(std::uint32_t) {
    auto message = receive(child_channel_.get(), Deadline::after(std::chrono::seconds(0)));
    if (message && message->type == MessageType::terminal && message->fds.size() == 1) {
        const std::array fds{message->fds[0].get()};
        if (!client_.send(session::FrameType::terminal, {}, fds)) {
            drop_client();
        }
        return;
    }
    if (message && message->type == MessageType::failed) {
        failed_ = true;
        (void)client_.send_error(
            decode_failure(message->payload)); // `exited` follows, or its failure
        return;
    }
    if (!message && message.error().code() == ErrorCode::timeout) {
        return;
    }
    close_child_channel();
    set_up_.stop();
    executed_ = !failed_;
    if (executed_ && client_.open() && !client_.send(session::FrameType::started, {})) {
        drop_client();
    }
}

void Session::close_child_channel() {
    loop_.remove(child_channel_.get());
    child_channel_.reset();
}

void Session::reaped(int wait_status) {
    // Reads the last messages of the child before its exit is reported.
    while (child_channel_) {
        child_ready(0);
    }
    pid_ = 0;
    if (client_.open()) {
        (void)client_.send_exited(exit_code(wait_status)); // dropped in any case
        loop_.remove(client_.fd());
        client_.close();
    }
}

} // namespace lodge::monitor
