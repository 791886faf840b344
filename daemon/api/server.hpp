#pragma once

#include "daemon/daemon.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"

#include <memory>
#include <string>

namespace lodge::daemon {

/// HTTP/1.1 over a unix socket, one request per connection. Only root and, if set, the members of
/// one group may connect. A bounded pool of threads serves each request once it has come whole
/// (Reception).
class Server {
  public:
    Server() = default;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    /// Waits for the running requests.
    virtual ~Server() = default;
    /// Stops listening: on return no socket listens. Running requests run on.
    virtual void refuse() = 0;
    /// Shuts down the connections of running requests and waits for their threads. False: some have
    /// not ended by the deadline. Pre: refuse().
    [[nodiscard]] virtual bool stop(const Deadline& deadline) = 0;
};

/// Replaces a stale socket at `path`. Pre: the caller holds the lock on the state directory.
[[nodiscard]] Result<std::unique_ptr<Server>>
start_server(Daemon& daemon, const std::string& path, const std::string& group);

} // namespace lodge::daemon
