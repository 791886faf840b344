#pragma once

#include "daemon/services/caller.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"
#include "lib/model/change.hpp"
#include "lib/model/container.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lodge::daemon {

struct CreateRequest {
    model::ContainerSpec spec;
    std::string root_password_hash; ///< of crypt(3), checked; empty: none is set
    bool start = false;
    /// Set: a spec without a limit of processes has none (`none` was asked for). Else it gets the
    /// default.
    bool any_pids = false;
};

struct StopRequest {
    std::optional<std::chrono::milliseconds> timeout; ///< of the graceful part; absent: configured
    bool force = false;                               ///< no graceful part
};

/// The use of resources by a container at this moment. Absent: it does not run, or this host does
/// not count it.
struct ContainerUse {
    std::optional<std::uint64_t> memory_bytes;
    std::optional<std::uint64_t> cpu_ms; ///< since it was started
    std::optional<std::uint64_t> processes;
};

/// A container with all that lodged knows of it at this moment.
struct ContainerView {
    model::Container container;
    std::string busy_with; ///< verb of the unfinished operation, or empty
    std::string image_path;
    std::string template_ready;                   ///< "ssh" or "running"
    std::optional<std::uint64_t> uptime_seconds;  ///< of its init
    ContainerUse use;                             ///< only if asked for
    std::vector<std::string> limits_not_enforced; ///< "memory": this host cannot, and was told so
};

/// Verbs return the id of a started operation. They refuse at once, without an operation,
/// everything that can be refused at once. Thread-safe.
class ContainerService {
  public:
    ContainerService() = default;
    ContainerService(const ContainerService&) = delete;
    ContainerService& operator=(const ContainerService&) = delete;
    virtual ~ContainerService() = default;
    [[nodiscard]] virtual Result<Uuid> create(const Caller& caller, CreateRequest request) = 0;
    [[nodiscard]] virtual Result<Uuid> start(const Caller& caller, const std::string& name) = 0;
    [[nodiscard]] virtual Result<Uuid>
    stop(const Caller& caller, const std::string& name, const StopRequest& request) = 0;
    [[nodiscard]] virtual Result<Uuid>
    restart(const Caller& caller, const std::string& name, const StopRequest& request) = 0;
    /// `frozen`: freeze; else thaw.
    [[nodiscard]] virtual Result<Uuid>
    set_frozen(const Caller& caller, const std::string& name, bool frozen) = 0;
    /// Changes limits at once, also of a running container, and the host name at the next start.
    [[nodiscard]] virtual Result<Uuid>
    set(const Caller& caller, const std::string& name, const model::SpecChange& change) = 0;
    [[nodiscard]] virtual Result<Uuid>
    destroy(const Caller& caller, const std::string& name, bool force) = 0;
    /// Sends a signal to init.
    [[nodiscard]] virtual Status
    kill(const Caller& caller, const std::string& name, int signal_number) = 0;
};

/// Containers as they are now. Thread-safe.
class ContainerViewService {
  public:
    ContainerViewService() = default;
    ContainerViewService(const ContainerViewService&) = delete;
    ContainerViewService& operator=(const ContainerViewService&) = delete;
    virtual ~ContainerViewService() = default;
    /// `with_use`: also the use of resources, which costs a look at the kernel for each.
    [[nodiscard]] virtual Result<std::vector<ContainerView>> list(const Caller& caller,
                                                                  bool with_use) = 0;
    /// With its use of resources.
    [[nodiscard]] virtual Result<ContainerView> info(const Caller& caller,
                                                     const std::string& name) = 0;
    /// Waits until the container is in `what`: "running", "stopped" or "ready". The template says
    /// the meaning of ready: sshd answers, or init runs.
    [[nodiscard]] virtual Status wait(const Caller& caller,
                                      const std::string& name,
                                      const std::string& what,
                                      const Deadline& deadline) = 0;
};

} // namespace lodge::daemon
