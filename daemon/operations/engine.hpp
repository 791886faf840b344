#pragma once

#include "daemon/operations/event_bus.hpp"
#include "daemon/operations/plan.hpp"
#include "daemon/services/operations.hpp"
#include "daemon/store/store.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lodge::daemon {

/// Takes one sentence for the daemon's log, without a trailing newline. Must be thread-safe.
using LogFunction = std::function<void(const std::string& line)>;

struct EngineParts {
    OperationLog& log;
    EventBus& events;
    std::string boot_id;
    LogFunction warn;
};

/// The holder of a resource: an operation, or a caller of OperationEngine::hold().
struct Holder {
    Uuid id;
    std::string verb;
    std::string resource;
    std::string arguments; ///< of the operation
};
/// The resource is held as long as a copy of this exists.
using Hold = std::shared_ptr<const Holder>;

/// Runs operations: one at a time per resource, each in a worker thread. It logs the intent of
/// every step before the step acts. When a step before the commit point fails, it undoes the steps
/// in reverse. When a step that cannot be undone fails, it tries the step once more, unless the
/// step failed with timeout or busy. Thread-safe. It publishes and logs without holding its lock,
/// so a log that nobody reads delays no request.
class OperationEngine final : public OperationService {
  public:
    /// Threads, each with one operation at a time. A worker stays until the engine ends.
    struct Workers {
        unsigned at_first = 1; ///< made at once, whatever threads the host has later
        unsigned most = 1;     ///< further operations wait
    };
    OperationEngine(EngineParts parts, Workers workers);
    ~OperationEngine() override;

    struct Request {
        std::string verb;
        std::string resource;  ///< the lock: a container's or template's name
        std::string arguments; ///< recovery rebuilds the plan from them
        Uuid id;               ///< nil: a new one
        /// Makes the plan with the resource held, so that the state that it reads is still true
        /// when the plan runs. submit() returns its refusal.
        std::function<Result<Plan>()> prepare;
    };
    /// Starts the operation. busy, with the name of the verb, when another operation holds the
    /// resource. It waits for an operation that has answered and only cleans up, and for one that
    /// may yet be refused.
    [[nodiscard]] Result<Uuid> submit(Request request);
    /// Locks `resource` as an operation does, for work that needs the lock and no log. busy as with
    /// submit(). Pre: the engine outlives the returned value.
    [[nodiscard]] Result<Hold> hold(const std::string& verb, const std::string& resource);
    /// Runs `look` and returns every holder at any moment of it: `look` saw their resources
    /// half-made. Fails as `look` does.
    [[nodiscard]] Result<std::vector<Holder>> held_during(const std::function<Status()>& look);
    /// Runs `act` once no operation holds `resource`, in a worker's thread or in this one: for an
    /// act that must not be lost because another operation holds the resource. Does not run `act`
    /// once the engine drains. `act` may submit. An exception of `act` is reported.
    void when_free(const std::string& resource, std::function<void()> act);
    /// Undoes or completes an operation that a dead daemon left unfinished, in the calling thread,
    /// before any submit(). The plan's `committed` and `on_recovery` decide which.
    void recover(const LoggedOperation& left, Plan plan);
    /// Runs an operation that a dead daemon left unfinished, from its first step on, as any other
    /// operation: in a worker, with its resource held. Pre: the plan can be neither undone nor
    /// cancelled.
    void resume(const LoggedOperation& left, Plan plan);
    /// The verb of the operation that holds the resource, or empty. An operation that only cleans
    /// up does not count.
    [[nodiscard]] std::string busy_with(const std::string& resource);
    /// Sets the progress of a running operation within its step.
    void progress(const Uuid& id, const std::string& step);
    /// Adds a warning to a running operation: a part of the request that will not hold. A part
    /// without which the caller cannot want the rest is an error instead.
    void warn(const Uuid& id, const std::string& sentence);
    /// Readable once cancel() was called for the operation, or the daemon ends. -1 for an operation
    /// that is unknown or has ended.
    [[nodiscard]] int cancel_fd(const Uuid& id);
    /// Ends the engine with the daemon. It accepts no operation any more. The running ones have
    /// until `grace` to end. From then on the engine leaves each at the end of its step: not
    /// undone, not answered, and in the log, as a killed daemon leaves it. A long step watches
    /// cancel_fd() or EventBus::closed_fd() and returns `cancelled`; the engine then leaves its
    /// operation at once. False: an operation is still in its step at `deadline`.
    [[nodiscard]] bool end(const Deadline& grace, const Deadline& deadline);
    /// end() without a deadline.
    void drain();

    [[nodiscard]] Result<OperationView> get(const Uuid& id);
    [[nodiscard]] std::vector<OperationView> list();
    [[nodiscard]] Result<OperationView> wait(const Uuid& id, const Deadline& deadline);
    [[nodiscard]] Status cancel(const Uuid& id);

    Result<OperationView> get(const Caller&, const Uuid& id) override { return get(id); }
    std::vector<OperationView> list(const Caller&) override { return list(); }
    Result<OperationView> wait(const Caller&, const Uuid& id, const Deadline& deadline) override {
        return wait(id, deadline);
    }
    Status cancel(const Caller&, const Uuid& id) override { return cancel(id); }
    std::unique_ptr<EventSubscription> subscribe(const Caller&, std::size_t past) override {
        return parts_.events.subscribe(past);
    }

  private:
    struct Running;
    using RunningPtr = std::shared_ptr<Running>;

    Status take(const RunningPtr& operation);
    static Holder holder_of(const Running& operation);
    Result<RunningPtr> enter(const LoggedOperation& what);
    void accept(const RunningPtr& operation);
    void engage(); ///< adds a worker when all are busy. Pre: lock_ is held
    void work();
    void run(const RunningPtr& operation);
    Status perform(const RunningPtr& operation);
    Status attempt(const RunningPtr& operation, std::size_t index);
    Status perform_step(const RunningPtr& operation, std::size_t index);
    /// Logs the step's intent and then performs it.
    Status act(const Uuid& operation, const Step& step);
    void undo(const Plan& plan, std::size_t steps, const std::string& what);
    void leave_to_next_start(const LoggedOperation& left, const Error& why);
    void warn_of_retry(const std::string& what, const Step& step, const Error& error);
    Status
    complete(const Uuid& operation, const Plan& plan, std::size_t from, const std::string& what);
    void answer(const RunningPtr& operation, const Status& status);
    void leave(const RunningPtr& operation);
    void give_up(const RunningPtr& operation, const Error& error) noexcept;
    [[nodiscard]] bool leaving();
    void forget(const RunningPtr& holder);
    void end_log(const RunningPtr& operation);
    void note_failure(const Plan& plan, const Error& error, const std::string& what);
    void run_followers(const std::string& resource);
    void release(const RunningPtr& operation);
    void announce(const RunningPtr& operation);
    RunningPtr find(const Uuid& id);

    EngineParts parts_;
    std::mutex lock_; ///< protects everything below and the views of running operations
    std::condition_variable changed_;
    std::deque<RunningPtr> queue_;
    std::map<std::string, RunningPtr> held_;   ///< by resource
    std::list<std::vector<Holder>> onlookers_; ///< one for each held_during() that runs
    std::map<Uuid, RunningPtr> known_;         ///< running, and the last kMostEnded that ended
    std::deque<Uuid> ended_;
    std::multimap<std::string, std::function<void()>> followers_; ///< by resource, see when_free
    unsigned following_ = 0;                                      ///< followers that run now
    bool stopping_ = false;                                       ///< accepts no operation
    bool leaving_ = false;                                        ///< leaves the running operations
    const std::size_t most_workers_;
    std::size_t idle_ = 0; ///< workers that wait for work
    std::vector<std::jthread> workers_;
};

} // namespace lodge::daemon
