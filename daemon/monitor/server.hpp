#pragma once

#include "daemon/monitor/console.hpp"
#include "daemon/monitor/loop.hpp"
#include "daemon/monitor/session.hpp"
#include "daemon/monitor/start.hpp"
#include "lib/base/clock.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace lodge::monitor {

/// A monitor after the start: waits for its children, keeps init's exit status, serves control
/// connections, exec sessions and the console, until a daemon releases it.
class Server {
  public:
    /// `channel`: the start channel, which becomes the first subscriber.
    static Result<std::unique_ptr<Server>> create(Container container, UniqueFd channel);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    /// Returns after the release.
    [[nodiscard]] Status run();

  private:
    struct Connection;
    Server(Container container, Loop loop);

    [[nodiscard]] Status watch();
    void accept_connection(std::uint32_t events);
    void add_connection(UniqueFd socket, bool subscribed);
    void drop_idle();
    void serve(Connection& connection);
    [[nodiscard]] Status answer(Connection& connection, Message& request);
    [[nodiscard]] Status obey(Connection& connection, Message& request);
    [[nodiscard]] Status greet(Connection& connection, const Message& request);
    [[nodiscard]] Status signal_init(const Message& request);
    [[nodiscard]] std::size_t waiting() const;
    [[nodiscard]] Result<ExecOrder> agree_to_session(const Message& request);
    [[nodiscard]] Status agree_to_console(Connection& connection);
    [[nodiscard]] Status take_client(Connection& connection, Message& request);
    [[nodiscard]] Status start_session(ExecOrder order, Message& request);
    [[nodiscard]] Status attach_console(Message& request);
    [[nodiscard]] Status release();
    [[nodiscard]] std::string status() const;
    void drop(const Connection& connection);

    void reap(std::uint32_t events);
    void ended(pid_t pid, int wait_status);
    void let_go_of_traced(pid_t pid, int signal_number);
    void init_ended(int wait_status);
    void announce_exit();
    void remove_ended_sessions();

    Container container_;
    Loop loop_;
    SessionContext session_context_;
    Console console_;
    Port<Server> listener_port_;
    Port<Server> child_port_;
    UniqueFd child_signals_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::optional<int> exit_; ///< init's wait status
    bool released_ = false;
    Deadline trace_window_ = Deadline::after(Deadline::Clock::duration::zero());
    unsigned traced_ = 0; ///< stops reported in this window
};

} // namespace lodge::monitor
