#pragma once

#include "daemon/containers/monitor.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/base/uuid.hpp"
#include "lib/model/change.hpp"
#include "lib/model/container.hpp"
#include "templates/template_store.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// The services of the daemon, as the HTTP routes use them. Routes translate between JSON and these
/// calls and decide nothing; services know nothing of HTTP. A call that fails because the daemon
/// ends fails with `unreachable`, so that its caller gets the answer that a killed daemon's caller
/// gets.
namespace lodge::daemon {

/// What a request needs of its caller: each route of the API names one.
enum class Permission : std::uint8_t {
    view,             ///< to see containers, templates, operations, events and the host
    operate,          ///< to start, stop, freeze and signal a container
    change,           ///< to create, change and destroy a container
    enter,            ///< to be root in a container: commands, its console
    manage_templates, ///< to build, import and remove templates
    manage_host,      ///< to shut the host's containers down, and to mend what is wrong
};
using Permissions = std::set<Permission>;

/// The one role there is: whoever can open the socket may do everything.
[[nodiscard]] inline const Permissions& all_permissions() {
    static const Permissions all{Permission::view,
                                 Permission::operate,
                                 Permission::change,
                                 Permission::enter,
                                 Permission::manage_templates,
                                 Permission::manage_host};
    return all;
}

/// Who asks: as SO_PEERCRED of the connection says.
struct Caller {
    std::uint32_t uid = 0;
    std::int32_t pid = 0;
    const Permissions* may = &all_permissions(); ///< never null; outlives the caller
};

enum class OperationStatus : std::uint8_t { running, succeeded, failed, cancelled };

/// A running or ended operation, as a value.
struct OperationView {
    Uuid id;
    std::string verb;     ///< "create", "start", "template build", ...
    std::string resource; ///< name of the container or template
    OperationStatus status = OperationStatus::running;
    std::string step;                  ///< the step it is in or ended in
    double fraction = -1;              ///< 0..1, negative: unknown
    std::vector<std::string> warnings; ///< parts of the request that will not hold
    std::optional<Error> error;
    std::int64_t started_at = 0; ///< Unix milliseconds
    std::int64_t ended_at = 0;   ///< 0: not yet
};

/// One thing that happened. Kinds: "operation" (progress and end), "container" (state change),
/// "template", "daemon".
struct Event {
    std::uint64_t sequence = 0;
    std::int64_t at = 0; ///< Unix milliseconds
    std::string kind;
    std::string resource;
    std::string what; ///< "created", "running", "changed", "frozen", "stopped", "crashed", ...
    std::optional<OperationView> operation;
    std::string detail;
};

/// `what` of the "daemon" event of a boot that begins its containers' starts.
inline constexpr const char* kHostStartsUp = "host starts up";

/// Number of events that are kept for later subscribers: a start of the daemon is over before
/// anybody can subscribe.
inline constexpr std::size_t kKeptEvents = 256;
/// Of them, at most this many of one container or template.
inline constexpr std::size_t kKeptOfOne = 64;

/// A subscriber's bounded queue. It drops the oldest events of a slow reader, who sees a gap in
/// `sequence`. Thread-safe.
class EventSubscription {
  public:
    EventSubscription() = default;
    EventSubscription(const EventSubscription&) = delete;
    EventSubscription& operator=(const EventSubscription&) = delete;
    virtual ~EventSubscription() = default;
    /// Next event; nullopt at the deadline or when the daemon ends.
    [[nodiscard]] virtual std::optional<Event> next(const Deadline& deadline) = 0;
    /// Whether the daemon ends: next() does not wait any more.
    [[nodiscard]] virtual bool ended() = 0;
};

class OperationService {
  public:
    OperationService() = default;
    OperationService(const OperationService&) = delete;
    OperationService& operator=(const OperationService&) = delete;
    virtual ~OperationService() = default;
    [[nodiscard]] virtual Result<OperationView> get(const Caller& caller, const Uuid& id) = 0;
    [[nodiscard]] virtual std::vector<OperationView> list(const Caller& caller) = 0;
    /// Waits until the operation has ended or the deadline; the view says which. unreachable when
    /// the daemon ends before.
    [[nodiscard]] virtual Result<OperationView>
    wait(const Caller& caller, const Uuid& id, const Deadline& deadline) = 0;
    /// invalid_state when it has ended or is past its commit point.
    [[nodiscard]] virtual Status cancel(const Caller& caller, const Uuid& id) = 0;
    /// Starts with the last `past` events, at most kKeptEvents.
    [[nodiscard]] virtual std::unique_ptr<EventSubscription> subscribe(const Caller& caller,
                                                                       std::size_t past) = 0;
};

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

/// What a container uses at this moment; absent: it does not run, or nobody counts it here.
struct ContainerUse {
    std::optional<std::uint64_t> memory_bytes;
    std::optional<std::uint64_t> cpu_ms; ///< since it was started
    std::optional<std::uint64_t> processes;
};

/// A container with what is known of it at this moment.
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
    /// `with_use`: what each uses too, which costs a look at the kernel for each.
    [[nodiscard]] virtual Result<std::vector<ContainerView>> list(const Caller& caller,
                                                                  bool with_use) = 0;
    /// With what it uses.
    [[nodiscard]] virtual Result<ContainerView> info(const Caller& caller,
                                                     const std::string& name) = 0;
    /// Waits until the container is in `what`: "running", "stopped" or "ready". The template says
    /// what ready means: sshd answers, or init runs.
    [[nodiscard]] virtual Status wait(const Caller& caller,
                                      const std::string& name,
                                      const std::string& what,
                                      const Deadline& deadline) = 0;
};

/// Sessions in a running container, and what can be read of one. Thread-safe.
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

/// A tree as a stream of bytes.
struct Archive {
    UniqueFd bytes;
    std::shared_future<Status> copied = {}; ///< set before `bytes` ends: whether it is whole
};

class TemplateService {
  public:
    TemplateService() = default;
    TemplateService(const TemplateService&) = delete;
    TemplateService& operator=(const TemplateService&) = delete;
    virtual ~TemplateService() = default;
    /// `definition`: a name in the definitions directory. `name`: of the template; empty: the same.
    [[nodiscard]] virtual Result<Uuid>
    build(const Caller& caller, const std::string& definition, const std::string& name) = 0;
    /// Reads the archive and blocks until it is consumed. The returned operation has ended.
    [[nodiscard]] virtual Result<Uuid>
    import(const Caller& caller, const std::string& name, Archive archive) = 0;
    [[nodiscard]] virtual Result<Uuid> remove(const Caller& caller, const std::string& name) = 0;
    [[nodiscard]] virtual Result<std::vector<templates::Template>> list(const Caller& caller) = 0;
    [[nodiscard]] virtual Result<templates::Template> info(const Caller& caller,
                                                           const std::string& name) = 0;
    [[nodiscard]] virtual Result<std::vector<templates::Definition>>
    definitions(const Caller& caller) = 0;
};

} // namespace lodge::daemon
