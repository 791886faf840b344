#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/services/sessions.hpp"

#include <string>

namespace lodge::daemon {

/// The sessions of clients in a container, through its monitor. Thread-safe.
class Sessions final : public SessionService {
  public:
    explicit Sessions(const Parts& parts) : parts_(parts) {}

    Status exec(const Caller& caller,
                const std::string& name,
                const ExecRequest& request,
                const TakeClient& take_client) override;
    Status
    console(const Caller& caller, const std::string& name, const TakeClient& take_client) override;
    Result<std::string> console_log(const Caller& caller, const std::string& name) override;
    Result<std::string> ssh_host_keys(const Caller& caller, const std::string& name) override;

  private:
    const Parts& parts_;
};

} // namespace lodge::daemon
