#pragma once

#include "daemon/services/caller.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lodge::daemon {

struct ExecRequest {
    std::vector<std::string> argv;
    std::vector<std::string> environment; ///< "KEY=value"
    std::string user;                     ///< name or number inside; empty: root
    std::string directory;                ///< empty: the user's home
    bool login_shell = false; ///< `enter`: argv is empty, the user's shell as a login shell
    bool terminal = false;
    std::uint16_t rows = 24;
    std::uint16_t columns = 80;
};

/// Gives the connection of a client to a session.
using TakeClient = std::function<Result<UniqueFd>()>;

/// Sessions in a running container, its console and its keys. Thread-safe.
class SessionService {
  public:
    SessionService() = default;
    SessionService(const SessionService&) = delete;
    SessionService& operator=(const SessionService&) = delete;
    virtual ~SessionService() = default;
    /// `take_client` is called once nothing can be refused any more; it answers 101 on the client's
    /// connection and gives that connection up.
    [[nodiscard]] virtual Status exec(const Caller& caller,
                                      const std::string& name,
                                      const ExecRequest& request,
                                      const TakeClient& take_client) = 0;
    [[nodiscard]] virtual Status
    console(const Caller& caller, const std::string& name, const TakeClient& take_client) = 0;
    [[nodiscard]] virtual Result<std::string> console_log(const Caller& caller,
                                                          const std::string& name) = 0;
    /// The public host keys (OpenSSH format, one a line) that the container's sshd made for itself,
    /// read from its tree; for `lodge ssh`.
    [[nodiscard]] virtual Result<std::string> ssh_host_keys(const Caller& caller,
                                                            const std::string& name) = 0;
};

} // namespace lodge::daemon
