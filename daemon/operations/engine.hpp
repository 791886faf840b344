#pragma once

#include "daemon/operations/event_bus.hpp"
#include "daemon/operations/plan.hpp"
#include "daemon/services.hpp"
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

/// Where the daemon says what it does; one sentence, no trailing newline. Must be thread-safe.
using LogFunction = std::function<void(const std::string& line)>;

struct EngineParts {
    OperationLog& log;
    EventBus& events;
    std::string boot_id;
    LogFunction warn;
};

/// Who holds a resource: an operation, or a caller of OperationEngine::hold().
struct Holder {
    Uuid id;
    std::string verb;
    std::string resource;
    std::string arguments; ///< of the operation
};
/// The resource is held as long as there is a copy of it.
using Hold = std::shared_ptr<const Holder>;

/// Runs operations: one at a time per resource, each in a worker thread, every step's intent logged
/// before it acts, undone in reverse when a step before the commit point fails. A step that cannot
/// be undone and fails is tried once more, unless with timeout or busy it has waited its time out.
/// Thread-safe. Publishes and logs without its lock: a log that nobody reads holds up no request.
class OperationEngine final : public OperationService {
  public:
    /// Threads, each with one operation at a time. One that is there stays.
    struct Workers {
        unsigned at_first = 1; ///< which are there however short of threads the host is later
        unsigned most = 1;     ///< operations beyond that wait
    };
    OperationEngine(EngineParts parts, Workers workers);
    ~OperationEngine() override;

    struct Request {
        std::string verb;
        std::string resource;  ///< the lock: a container's or template's name
        std::string arguments; ///< from which the plan can be rebuilt
        Uuid id;               ///< nil: a new one
        /// Called with the resource held, so that what it reads of it is still true when the plan
        /// runs. Its refusal is submit()'s.
        std::function<Result<Plan>()> prepare;
    };
    /// Starts it. busy, naming the verb, when another operation holds the resource; one that has
    /// already answered and only cleans up, or may yet be refused, is waited for.
    [[nodiscard]] Result<Uuid> submit(Request request);
    /// Keeps operations from `resource`, as one does from another, without being one: for work that
    /// needs the lock and no log. busy as with submit(). Pre: the engine outlives what it returns.
    [[nodiscard]] Result<Hold> hold(const std::string& verb, const std::string& resource);
    /// Runs `look` and says who held anything at any moment of it: what they work on was seen
    /// half-made. Fails as `look` does.
    [[nodiscard]] Result<std::vector<Holder>> held_during(const std::function<Status()>& look);
    /// Runs `act` once, in a worker's thread or this one, when no operation holds `resource` any
    /// more: for what must not be forgotten because somebody else was busy. Not run once the engine
    /// drains. `act` may submit; what it throws is reported.
    void when_free(const std::string& resource, std::function<void()> act);
    /// Finishes what a dead daemon left, in the calling thread, before any submit.
    void recover(const LoggedOperation& left, Plan plan);
    /// Takes up what a dead daemon left, from its first step on, as an operation like any other: in
    /// a worker, with its resource held. Pre: the plan can be neither undone nor cancelled.
    void resume(const LoggedOperation& left, Plan plan);
    /// Verb that holds the resource, or empty. Cleaning up does not count.
    [[nodiscard]] std::string busy_with(const std::string& resource);
    /// Tells where a running operation is within its step.
    void progress(const Uuid& id, const std::string& step);
    /// Adds a sentence to a running operation's answer: of what is asked for, so much will not
    /// hold. Not for what the caller cannot have wanted otherwise: that is an error.
    void warn(const Uuid& id, const std::string& sentence);
    /// Readable once cancel() was called for the operation, or the daemon ends; -1 for one that is
    /// unknown or has ended.
    [[nodiscard]] int cancel_fd(const Uuid& id);
    /// Ends with the daemon: takes no operation any more. Those on their way have until `grace` to
    /// come to their end. From then on each is left where it is as soon as its step is done: not
    /// undone, not answered, and in the log, as a killed daemon would leave it to the next. A step
    /// that takes its time looks at cancel_fd() or EventBus::closed_fd() and returns `cancelled`;
    /// it is left at once. False: one is still in its step at `deadline`.
    [[nodiscard]] bool end(const Deadline& grace, const Deadline& deadline);
    /// end(), with all the time that it takes.
    void drain();

    Result<OperationView> get(const Uuid& id) override;
    std::vector<OperationView> list() override;
    Result<OperationView> wait(const Uuid& id, const Deadline& deadline) override;
    Status cancel(const Uuid& id) override;
    std::unique_ptr<EventSubscription> subscribe(std::size_t past) override {
        return parts_.events.subscribe(past);
    }

  private:
    struct Running;
    using RunningPtr = std::shared_ptr<Running>;

    Status take(const RunningPtr& operation);
    static Holder holder_of(const Running& operation);
    Result<RunningPtr> enter(const LoggedOperation& what);
    void accept(const RunningPtr& operation);
    void engage(); ///< a worker more when all are at work. Pre: lock_ is held
    void work();
    void run(const RunningPtr& operation);
    Status perform(const RunningPtr& operation);
    Status attempt(const RunningPtr& operation, std::size_t index);
    Status perform_step(const RunningPtr& operation, std::size_t index);
    /// The step with its intent in the log before it.
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
    std::list<std::vector<Holder>> onlookers_; ///< one for each held_during() that looks now
    std::map<Uuid, RunningPtr> known_;         ///< running, and the last kMostEnded that ended
    std::deque<Uuid> ended_;
    std::multimap<std::string, std::function<void()>> followers_; ///< by resource, see when_free
    unsigned following_ = 0;                                      ///< followers that run now
    bool stopping_ = false;                                       ///< takes no operation
    bool leaving_ = false;                                        ///< leaves those that there are
    const std::size_t most_workers_;
    std::size_t idle_ = 0; ///< workers that wait for work
    std::vector<std::jthread> workers_;
};

} // namespace lodge::daemon
