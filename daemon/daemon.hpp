#pragma once

#include "daemon/containers/resolvers.hpp"
#include "daemon/host_settings.hpp"
#include "daemon/log.hpp"
#include "daemon/recovery/check.hpp"
#include "daemon/services/containers.hpp"
#include "daemon/services/operations.hpp"
#include "daemon/services/sessions.hpp"
#include "daemon/services/templates.hpp"
#include "daemon/settings.hpp"
#include "lib/base/clock.hpp"
#include "lib/cgroup/groups.hpp"
#include "lib/kernel/features.hpp"
#include "storage/volume.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace lodge::daemon {

/// The capabilities of this host, for `host info`.
struct HostInfo {
    std::string kernel; ///< uname -r
    std::vector<kernel::Feature> features;
    std::vector<SeenSetting> settings;
    std::vector<storage::DriverInfo> encryptions;
    std::string encryption;     ///< of a create without --encryption; empty: none is possible
    std::string encryption_why; ///< the reason for it
    std::string key_provider;   ///< KeyProvider::name()
    std::string keys_why_not;   ///< empty: volumes can be opened
    cgroup::Support cgroup;
    std::string bridge;
    std::vector<std::string> pools;
    Resolvers resolvers; ///< of a container made now
};

/// The daemon without its HTTP server: services over the real drivers. make_daemon() makes the
/// directories, opens the database, sets up bridge and firewall, and takes up the containers of the
/// last daemon. The destructor waits for running operations, unless shut_down() was called, and
/// leaves containers running. Pre: nobody uses it any more.
class Daemon {
  public:
    Daemon() = default;
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    virtual ~Daemon() = default;
    [[nodiscard]] virtual ContainerService& containers() = 0;
    [[nodiscard]] virtual ContainerViewService& views() = 0;
    [[nodiscard]] virtual SessionService& sessions() = 0;
    [[nodiscard]] virtual TemplateService& templates() = 0;
    [[nodiscard]] virtual OperationService& operations() = 0;
    [[nodiscard]] virtual HostInfo host_info() = 0;
    /// See Autostart.
    [[nodiscard]] virtual Result<Uuid> shut_down_host(std::chrono::milliseconds timeout) = 0;
    [[nodiscard]] virtual Result<std::size_t> start_up_host() = 0;
    /// See HostCheck.
    [[nodiscard]] virtual Result<CheckReport> check_host(bool repair) = 0;
    /// Wakes all waits and event streams, and gives running operations until `grace` to end; the
    /// others are left to the next daemon (OperationEngine::end()). Requests are still answered.
    /// False: an operation is still in a step at `deadline`, and the daemon must not be destroyed.
    [[nodiscard]] virtual bool shut_down(const Deadline& grace, const Deadline& deadline) = 0;
};

[[nodiscard]] Result<std::unique_ptr<Daemon>> make_daemon(Settings settings, const Log& log);

} // namespace lodge::daemon
