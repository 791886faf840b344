#pragma once

#include "daemon/daemon.hpp"
#include "lib/base/error.hpp"

#include <memory>
#include <string>

namespace lodge::daemon {

/// HTTP/1.1 over a unix socket. Only root and, when set, members of one group may connect. Requests
/// run in a bounded pool of threads.
class Server {
  public:
    Server() = default;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    virtual ~Server() = default;
    /// Takes no new request and waits for those on their way.
    virtual void stop() = 0;
};

/// Replaces a stale socket at `path`: pre: the caller holds the lock on the state directory.
[[nodiscard]] Result<std::unique_ptr<Server>>
start_server(Daemon& daemon, const std::string& path, const std::string& group);

} // namespace lodge::daemon
