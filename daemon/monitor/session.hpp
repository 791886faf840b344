#pragma once

#include "daemon/monitor/client.hpp"
#include "daemon/monitor/loop.hpp"
#include "daemon/monitor/protocol.hpp"
#include "lib/base/unique_fd.hpp"

#include <array>
#include <functional>

#include <sys/types.h>

namespace lodge::monitor {

/// The data of a container that an exec session's child needs.
struct SessionContext {
    int container = -1; ///< init's pidfd
    int cgroup = -1;    ///< the container's group
    int proc = -1;      ///< see Container::proc
    const std::string* seccomp_program = nullptr;
};

/// One exec session: a process inside and its client. Lives until the process was reaped, with or
/// without its client.
class Session {
  public:
    Session(Loop& loop, const SessionContext& context, ExecOrder order, UniqueFd connection);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// With a terminal: starts the command. Without: waits for the client's stdio first.
    [[nodiscard]] Status open();
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Bytes of the order that is not executed yet.
    [[nodiscard]] std::size_t waiting() const { return size_of(order_); }
    /// Whether there is neither process nor client any more.
    [[nodiscard]] bool ended() const { return pid_ == 0 && !client_.open(); }
    /// The process was reaped with this wait status.
    void reaped(int wait_status);
    /// Called when ended() may have become true other than by reaped().
    std::function<void()> on_change;

  private:
    void client_ready(std::uint32_t events);
    void child_ready(std::uint32_t events);
    void handle(const Client::Part& part);
    Status launch(std::array<UniqueFd, 3> stdio);
    void signal_command(std::int32_t number);
    void hear_child();
    void give_up_set_up();
    void fail_session(const Error& error);
    void end_session(std::int32_t code);
    void drop_client();
    void close_child_channel();

    Loop& loop_;
    const SessionContext& context_;
    ExecOrder order_;
    Client client_;
    Port<Session> client_port_;
    Port<Session> child_port_;
    UniqueFd child_channel_; ///< open until the exec
    pid_t pid_ = 0;
    Alarm set_up_; ///< set from the clone to the exec
    bool executed_ = false;
    bool failed_ = false;
};

/// session_child.cpp: from the clone's first instruction to execve. `stdio` is empty with a
/// terminal.
[[noreturn]] void run_session_child(const SessionContext& context,
                                    ExecOrder& order,
                                    std::array<UniqueFd, 3> stdio,
                                    UniqueFd channel);

} // namespace lodge::monitor
