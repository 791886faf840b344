#include "daemon/monitor/session.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
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

std::int32_t exit_code(int wait_status) {
    constexpr int kSignalBase = 128; // as a shell reports it
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : kSignalBase + WTERMSIG(wait_status);
}

} // namespace

Session::Session(Loop& loop, const SessionContext& context, ExecOrder order, UniqueFd connection)
    : loop_(loop), context_(context), order_(std::move(order)), client_(std::move(connection)),
      client_port_(*this, &Session::client_ready), child_port_(*this, &Session::child_ready) {}

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

// Before the exec there is only our own code to signal, and the client may know of the exec, from
// the command's output, before we do: what comes early is kept for the command.
void Session::signal_command(std::int32_t number) {
    if (number <= 0 || number >= NSIG) {
        return;
    }
    if (!executed_) {
        early_signals_ |= std::uint64_t{1} << (number - 1);
    } else if (pid_ > 0) {
        // The session's process group, as a terminal's Ctrl-C reaches a whole pipeline. The leader
        // is not reaped while pid_ is set, so the number is still its.
        (void)::kill(-pid_, number); // it may be ending: then `exited` follows
    }
}

void Session::fail_session(const Error& error) {
    failed_ = true;
    constexpr std::int32_t kCannotExecute = 126;
    (void)client_.send_error(error); // dropped in any case
    (void)client_.send_exited(kCannotExecute);
    drop_client();
}

void Session::drop_client() {
    loop_.remove(client_.fd());
    client_.close();
    if (pid_ > 0) {
        // Its leader learns as from a terminal that was hung up; a child that has not come to its
        // exec yet has no use any more.
        (void)::kill(pid_, executed_ ? SIGHUP : SIGKILL);
        (void)::kill(pid_, SIGCONT);
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
    executed_ = !failed_;
    for (int number = 1; executed_ && number < NSIG; ++number) {
        if ((early_signals_ >> (number - 1) & 1) != 0) {
            signal_command(number);
        }
    }
    if (executed_ && client_.open() && !client_.send(session::FrameType::started, {})) {
        drop_client();
    }
}

void Session::close_child_channel() {
    loop_.remove(child_channel_.get());
    child_channel_.reset();
}

void Session::reaped(int wait_status) {
    // Its last words may not have been heard yet.
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
