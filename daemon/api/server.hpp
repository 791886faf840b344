#pragma once

#include "daemon/daemon.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"

#include <memory>
#include <string>

namespace lodge::daemon {

/// HTTP/1.1 over a unix socket, one request for each connection. Only root and, when set, members
/// of one group may connect. A request is served once it has come whole (Reception), in a bounded
/// pool of threads.
class Server {
  public:
    Server() = default;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    /// Waits for the requests on their way.
    virtual ~Server() = default;
    /// Takes no new request: nobody listens any more when it returns. Those on their way go on.
    virtual void refuse() = 0;
    /// Breaks the connections off whose requests are still on their way, and waits for their
    /// threads; false: not all have ended by the deadline. Pre: refuse().
    [[nodiscard]] virtual bool stop(const Deadline& deadline) = 0;
};

/// Replaces a stale socket at `path`: pre: the caller holds the lock on the state directory.
[[nodiscard]] Result<std::unique_ptr<Server>>
start_server(Daemon& daemon, const std::string& path, const std::string& group);

} // namespace lodge::daemon
