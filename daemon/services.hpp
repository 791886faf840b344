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
#include <string>
#include <vector>

/// What the daemon can do, as the HTTP routes see it. Routes translate between JSON and these calls
/// and decide nothing; services know nothing of HTTP. What cannot be answered because the daemon
/// ends fails with `unreachable`: whoever asked is told what he would be told of a killed one.
namespace lodge::daemon {

/// Who asks: as SO_PEERCRED of the connection says.
struct Caller {
    std::uint32_t uid = 0;
    std::int32_t pid = 0;
};

enum class OperationStatus : std::uint8_t { running, succeeded, failed, cancelled };

/// A mutating verb on its way or done, as a value.
struct OperationView {
    Uuid id;
    std::string verb;     ///< "create", "start", "template_build", ...
    std::string resource; ///< name of the container or template
    OperationStatus status = OperationStatus::running;
    std::string step;                  ///< the step it is in or ended in
    double fraction = -1;              ///< 0..1, negative: unknown
    std::vector<std::string> warnings; ///< what will not be as was asked, though it succeeds
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

/// What a "daemon" event says of a boot that begins its containers' starts.
inline constexpr const char* kHostStartsUp = "host starts up";

/// How many events are kept for who comes later: what a start of the daemon did is over before
/// anybody can ask.
inline constexpr std::size_t kKeptEvents = 256;
/// Of them, at most so many of one container or template.
inline constexpr std::size_t kKeptOfOne = 64;

/// A subscriber's bounded queue; the oldest events are dropped for a slow reader, who then sees a
/// gap in `sequence`. Thread-safe.
class EventSubscription {
  public:
    EventSubscription() = default;
    EventSubscription(const EventSubscription&) = delete;
    EventSubscription& operator=(const EventSubscription&) = delete;
    virtual ~EventSubscription() = default;
    /// Next event; nullopt at the deadline or when the daemon ends.
    [[nodiscard]] virtual std::optional<Event> next(const Deadline& deadline) = 0;
    /// The daemon ends: next() does not wait any more.
    [[nodiscard]] virtual bool ended() = 0;
};

class OperationService {
  public:
    OperationService() = default;
    OperationService(const OperationService&) = delete;
    OperationService& operator=(const OperationService&) = delete;
    virtual ~OperationService() = default;
    [[nodiscard]] virtual Result<OperationView> get(const Uuid& id) = 0;
    [[nodiscard]] virtual std::vector<OperationView> list() = 0;
    /// Waits until it ended or the deadline; the view then says which. unreachable when the daemon
    /// ends before.
    [[nodiscard]] virtual Result<OperationView> wait(const Uuid& id, const Deadline& deadline) = 0;
    /// invalid_state when it has ended or is past its commit point.
    [[nodiscard]] virtual Status cancel(const Uuid& id) = 0;
    /// Begins with the last `past` events, at most kKeptEvents.
    [[nodiscard]] virtual std::unique_ptr<EventSubscription> subscribe(std::size_t past) = 0;
};

struct CreateRequest {
    model::ContainerSpec spec;
    std::string root_password_hash; ///< of crypt(3), checked; empty: none is set
    bool start = false;
    /// No limit was asked for by name: without one in the spec there is none. Else the default.
    bool any_pids = false;
};

struct StopRequest {
    std::optional<std::chrono::milliseconds> timeout; ///< of the graceful part; absent: configured
    bool force = false;                               ///< no graceful part
};

/// A container with what is known of it at this moment.
struct ContainerView {
    model::Container container;
    std::string busy_with; ///< verb of the unfinished operation, or empty
    std::string image_path;
    std::string template_ready;                   ///< "ssh" or "running"
    std::vector<std::string> limits_not_enforced; ///< "memory": this host cannot, and was told so
};

/// Verbs return the id of a started operation; everything that can be refused at once is refused at
/// once, without one. Thread-safe.
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
    /// Limits at once, also of a running one; the host name at the next start.
    [[nodiscard]] virtual Result<Uuid>
    set(const Caller& caller, const std::string& name, const model::SpecChange& change) = 0;
    [[nodiscard]] virtual Result<Uuid>
    destroy(const Caller& caller, const std::string& name, bool force) = 0;
    /// Sends a signal to init.
    [[nodiscard]] virtual Status
    kill(const Caller& caller, const std::string& name, int signal_number) = 0;
    [[nodiscard]] virtual Result<std::vector<ContainerView>> list() = 0;
    [[nodiscard]] virtual Result<ContainerView> info(const std::string& name) = 0;
    /// Waits until the container is in `what`: "running", "stopped" or "ready" (what ready means is
    /// the template's matter: sshd answers, or init runs).
    [[nodiscard]] virtual Status
    wait(const std::string& name, const std::string& what, const Deadline& deadline) = 0;
    /// `take_client` is called once everything is known to be in order; it answers 101 on the
    /// client's connection and gives that connection up.
    [[nodiscard]] virtual Status
    exec(const std::string& name, const ExecRequest& request, const TakeClient& take_client) = 0;
    [[nodiscard]] virtual Status console(const std::string& name,
                                         const TakeClient& take_client) = 0;
    [[nodiscard]] virtual Result<std::string> console_log(const std::string& name) = 0;
    /// The public host keys (OpenSSH format, one a line) that the container's sshd made for itself,
    /// read from its tree; for `lodge ssh`.
    [[nodiscard]] virtual Result<std::string> ssh_host_keys(const std::string& name) = 0;
};

/// A tree as a stream of bytes.
struct Archive {
    UniqueFd bytes;
    std::shared_future<Status> copied = {}; ///< there before `bytes` ends: whether that is all
};

class TemplateService {
  public:
    TemplateService() = default;
    TemplateService(const TemplateService&) = delete;
    TemplateService& operator=(const TemplateService&) = delete;
    virtual ~TemplateService() = default;
    /// `definition` as named in the definitions directory; `name` of the result, empty: the same.
    [[nodiscard]] virtual Result<Uuid>
    build(const Caller& caller, const std::string& definition, const std::string& name) = 0;
    /// Reads the archive, blocks until it was consumed; the operation it returns has ended.
    [[nodiscard]] virtual Result<Uuid>
    import(const Caller& caller, const std::string& name, Archive archive) = 0;
    [[nodiscard]] virtual Result<Uuid> remove(const Caller& caller, const std::string& name) = 0;
    [[nodiscard]] virtual Result<std::vector<templates::Template>> list() = 0;
    [[nodiscard]] virtual Result<templates::Template> info(const std::string& name) = 0;
    [[nodiscard]] virtual Result<std::vector<templates::Definition>> definitions() = 0;
};

} // namespace lodge::daemon
