// The locks of resources, the queue of the workers, and the events of operations.
#include "daemon/operations/engine.hpp"

#include "daemon/operations/running.hpp"
#include "lib/base/contained.hpp"
#include "lib/base/revert.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr std::size_t kMostEnded = 256;
constexpr auto kLongestCleanup = std::chrono::seconds(15);

} // namespace

OperationEngine::OperationEngine(EngineParts parts, Workers workers)
    : parts_(std::move(parts)), most_workers_(workers.most) {
    workers_.reserve(workers.most);
    for (unsigned i = 0; i < workers.at_first; ++i) {
        workers_.emplace_back([this] { work(); });
    }
}

OperationEngine::~OperationEngine() {
    drain();
    changed_.notify_all();
}

Holder OperationEngine::holder_of(const Running& operation) {
    return {.id = operation.view.id,
            .verb = operation.view.verb,
            .resource = operation.view.resource,
            .arguments = operation.arguments};
}

Status OperationEngine::take(const RunningPtr& operation) {
    const std::string& resource = operation->view.resource;
    std::unique_lock guard(lock_);
    // Waits for two kinds of holders that end soon: one whose request may still be refused, and one
    // that has answered and only cleans up.
    const auto free_or_busy = [&] {
        const auto holder = held_.find(resource);
        return stopping_ || holder == held_.end() ||
               (holder->second->accepted && !holder->second->answered);
    };
    (void)changed_.wait_for(
        guard, kLongestCleanup, free_or_busy); // the code below checks the result
    if (stopping_) {
        return fail(ErrorCode::unreachable, "lodged ends");
    }
    if (const auto holder = held_.find(resource); holder != held_.end()) {
        return fail(ErrorCode::busy,
                    "'" + resource + "' is busy: " + holder->second->view.verb + " is on its way");
    }
    held_[resource] = operation;
    for (std::vector<Holder>& onlooker : onlookers_) {
        onlooker.push_back(holder_of(*operation));
    }
    return {};
}

// Makes the operation and takes its resource.
Result<OperationEngine::RunningPtr> OperationEngine::enter(const LoggedOperation& what) {
    auto operation = std::make_shared<Running>();
    operation->view = {.id = what.id,
                       .verb = what.verb,
                       .resource = what.resource,
                       .started_at = unix_milliseconds(),
                       .cancellable = true};
    operation->arguments = what.arguments;
    RETURN_IF_ERROR(take(operation));
    operation->cancelled.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const std::lock_guard guard(lock_);
    known_[what.id] = operation;
    return operation;
}

Result<Uuid> OperationEngine::submit(Request request) {
    if (request.id == Uuid{}) {
        ASSIGN_OR_RETURN(request.id, Uuid::generate());
    }
    const LoggedOperation logged{.id = request.id,
                                 .verb = std::move(request.verb),
                                 .resource = std::move(request.resource),
                                 .arguments = std::move(request.arguments),
                                 .intended = {},
                                 .boot_id = parts_.boot_id};
    ASSIGN_OR_RETURN(const RunningPtr operation, enter(logged));
    const Status ready = contained([&]() -> Status {
        ASSIGN_OR_RETURN(operation->plan, request.prepare());
        return parts_.log.begin(logged);
    });
    if (!ready) {
        end_log(operation); // a failed begin may still be in the log
        forget(operation);
        return std::unexpected<Error>(ready.error());
    }
    accept(operation);
    return request.id;
}

void OperationEngine::accept(const RunningPtr& operation) {
    {
        const std::lock_guard guard(lock_);
        operation->accepted = true;
        operation->view.warnings = std::move(operation->plan.warnings);
        operation->view.cancellable = !must_be_done(operation->plan, 0);
        queue_.push_back(operation);
        engage();
    }
    changed_.notify_all();
}

// More workers, because a stop that waits for its init must not delay other operations.
void OperationEngine::engage() {
    if (queue_.size() <= idle_ || workers_.size() >= most_workers_) {
        return;
    }
    try {
        workers_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
        // No thread is available: the operation waits for an existing one.
    }
}

void OperationEngine::resume(const LoggedOperation& left, Plan plan) {
    const auto operation = enter(left);
    if (!operation) {
        parts_.warn("resume " + left.verb + ": " + operation.error().to_string() +
                    ", left to the next start");
        return;
    }
    (*operation)->plan = std::move(plan);
    parts_.events.publish(
        {.kind = "daemon", .resource = left.resource, .what = "resumed", .detail = left.verb});
    accept(*operation);
}

Result<Hold> OperationEngine::hold(const std::string& verb, const std::string& resource) {
    auto operation = std::make_shared<Running>();
    ASSIGN_OR_RETURN(operation->view.id, Uuid::generate());
    operation->view.verb = verb;
    operation->view.resource = resource;
    operation->accepted = true; // cannot be refused any more: the next request gets busy at once
    RETURN_IF_ERROR(take(operation));
    return Hold(new Holder(holder_of(*operation)), [this, operation](const Holder* holder) {
        delete holder;
        forget(operation);
    });
}

Result<std::vector<Holder>> OperationEngine::held_during(const std::function<Status()>& look) {
    std::list<std::vector<Holder>>::iterator mine;
    {
        const std::lock_guard guard(lock_);
        mine = onlookers_.emplace(onlookers_.end());
        for (const auto& [resource, operation] : held_) {
            mine->push_back(holder_of(*operation));
        }
    }
    Revert leave;
    leave.add([&] {
        const std::lock_guard guard(lock_);
        onlookers_.erase(mine);
    });
    RETURN_IF_ERROR(look());
    const std::lock_guard guard(lock_); // released before `leave` takes it
    return std::move(*mine);
}

void OperationEngine::work() {
    while (true) {
        RunningPtr operation;
        {
            std::unique_lock guard(lock_);
            ++idle_;
            changed_.wait(guard, [&] { return stopping_ || !queue_.empty(); });
            --idle_;
            if (queue_.empty()) {
                return;
            }
            operation = std::move(queue_.front());
            queue_.pop_front();
        }
        const Status done = contained([&] { return run(operation), Status{}; });
        if (!done) {
            give_up(operation, done.error());
        }
    }
}

// For an operation that ran out of memory between its steps. Its unfinished steps are in the log,
// for the next start of lodged.
void OperationEngine::give_up(const RunningPtr& operation, const Error& error) noexcept {
    (void)contained([&]() -> Status {
        const std::lock_guard guard(lock_);
        if (!operation->answered) {
            operation->answered = true;
            operation->view.status = OperationStatus::failed;
            operation->view.ended_at = unix_milliseconds();
            operation->view.cancellable = false;
            operation->view.error = error;
        }
        return {};
    });
    (void)contained([&] { return release(operation), Status{}; });
    (void)contained([&] {
        parts_.warn(operation->view.verb + ": " + error.to_string() + ", left to the next start");
        return Status{};
    });
}

void OperationEngine::answer(const RunningPtr& operation, const Status& status) {
    {
        const std::lock_guard guard(lock_);
        OperationView& view = operation->view;
        view.ended_at = unix_milliseconds();
        view.cancellable = false;
        view.error.reset();
        if (status) {
            view.status = OperationStatus::succeeded;
        } else {
            view.error = status.error();
            view.status = status.error().code() == ErrorCode::cancelled ? OperationStatus::cancelled
                                                                        : OperationStatus::failed;
        }
        operation->answered = true;
    }
    changed_.notify_all();
    announce(operation);
}

void OperationEngine::forget(const RunningPtr& holder) {
    {
        const std::lock_guard guard(lock_);
        held_.erase(holder->view.resource);
        known_.erase(holder->view.id);
    }
    changed_.notify_all();
    run_followers(holder->view.resource);
}

void OperationEngine::release(const RunningPtr& operation) {
    {
        const std::lock_guard guard(lock_);
        held_.erase(operation->view.resource);
        operation->released = true;
        operation->cancelled.reset(); // closes the descriptor
        ended_.push_back(operation->view.id);
        if (ended_.size() > kMostEnded) {
            known_.erase(ended_.front());
            ended_.pop_front();
        }
    }
    changed_.notify_all();
    run_followers(operation->view.resource);
}

void OperationEngine::when_free(const std::string& resource, std::function<void()> act) {
    {
        const std::lock_guard guard(lock_);
        followers_.emplace(resource, std::move(act));
        if (held_.contains(resource)) {
            return; // the end of its holder runs it
        }
    }
    run_followers(resource);
}

void OperationEngine::run_followers(const std::string& resource) {
    while (true) {
        std::function<void()> act;
        {
            const std::lock_guard guard(lock_);
            const auto next = followers_.find(resource);
            if (stopping_ || next == followers_.end()) {
                return;
            }
            act = std::move(next->second);
            followers_.erase(next);
            ++following_;
        }
        if (const Status done = contained([&act] { return act(), Status{}; }); !done) {
            parts_.warn("after an operation on '" + resource + "': " + done.error().to_string());
        }
        {
            const std::lock_guard guard(lock_);
            --following_;
        }
        changed_.notify_all();
    }
}

void OperationEngine::announce(const RunningPtr& operation) {
    (void)contained([&]() -> Status { // without memory for the event the operation goes on
        Event event{.kind = "operation"};
        {
            const std::lock_guard guard(lock_);
            event.resource = operation->view.resource;
            event.what = operation->answered ? "ended" : "started";
            event.operation = operation->view;
        }
        parts_.events.publish(std::move(event));
        return {};
    });
}

std::string OperationEngine::busy_with(const std::string& resource) {
    const std::lock_guard guard(lock_);
    const auto holder = held_.find(resource);
    return holder == held_.end() || holder->second->answered ? std::string()
                                                             : holder->second->view.verb;
}

OperationEngine::RunningPtr OperationEngine::find(const Uuid& id) {
    const auto at = known_.find(id);
    return at == known_.end() ? nullptr : at->second;
}

void OperationEngine::progress(const Uuid& id, const std::string& step) {
    Event event{.kind = "operation", .what = "progress", .detail = step};
    {
        const std::lock_guard guard(lock_);
        const RunningPtr operation = find(id);
        if (!operation) {
            return;
        }
        operation->view.step = step;
        event.resource = operation->view.resource;
        event.operation = operation->view;
    }
    parts_.events.publish(std::move(event));
}

void OperationEngine::warn(const Uuid& id, const std::string& sentence) {
    const std::lock_guard guard(lock_);
    if (const RunningPtr operation = find(id)) {
        operation->view.warnings.push_back(sentence);
    }
}

int OperationEngine::cancel_fd(const Uuid& id) {
    const std::lock_guard guard(lock_);
    const RunningPtr operation = find(id);
    if (operation && stopping_) {
        (void)::eventfd_write(operation->cancelled.get(), 1); // added while end() began
    }
    return operation ? operation->cancelled.get() : -1;
}

bool OperationEngine::end(const Deadline& grace, const Deadline& deadline) {
    std::unique_lock guard(lock_);
    stopping_ = true;
    for (const auto& [id, operation] : known_) {
        (void)::eventfd_write(operation->cancelled.get(), 1); // -1 for those that have ended
    }
    changed_.notify_all();
    const auto idle = [&] { return held_.empty() && following_ == 0; };
    (void)changed_.wait_for(guard, grace.left(), idle); // checked again below
    leaving_ = true;
    changed_.notify_all();
    return changed_.wait_for(guard, deadline.left(), idle);
}

void OperationEngine::drain() {
    (void)end(Deadline::never(), Deadline::never());
}

bool OperationEngine::leaving() {
    const std::lock_guard guard(lock_);
    return leaving_;
}

Result<OperationView> OperationEngine::get(const Uuid& id) {
    const std::lock_guard guard(lock_);
    const RunningPtr operation = find(id);
    if (!operation) {
        return fail(ErrorCode::not_found, "no operation has the id " + id.to_string());
    }
    return operation->view;
}

std::vector<OperationView> OperationEngine::list() {
    const std::lock_guard guard(lock_);
    std::vector<OperationView> views;
    views.reserve(known_.size());
    for (const auto& [id, operation] : known_) {
        views.push_back(operation->view);
    }
    std::sort(views.begin(), views.end(), [](const OperationView& a, const OperationView& b) {
        return a.started_at < b.started_at;
    });
    return views;
}

Result<OperationView> OperationEngine::wait(const Uuid& id, const Deadline& deadline) {
    std::unique_lock guard(lock_);
    const RunningPtr operation = find(id);
    if (!operation) {
        return fail(ErrorCode::not_found, "no operation has the id " + id.to_string());
    }
    (void)changed_.wait_for(guard, deadline.left(), [&] {
        return operation->answered || leaving_;
    }); // the view has the reason
    if (!operation->answered && leaving_) {
        return fail(ErrorCode::unreachable, "lodged ends, and the operation has not");
    }
    return operation->view;
}

Status OperationEngine::cancel(const Uuid& id) {
    const std::lock_guard guard(lock_);
    const RunningPtr operation = find(id);
    if (!operation) {
        return fail(ErrorCode::not_found, "no operation has the id " + id.to_string());
    }
    if (operation->answered || !operation->view.cancellable) {
        return fail(ErrorCode::invalid_state, "the operation has ended or can no longer be undone");
    }
    operation->cancel_asked = true;
    const std::uint64_t one = 1;
    if (::write(operation->cancelled.get(), &one, sizeof one) != sizeof one) {
        return fail_errno("write", "eventfd");
    }
    return {};
}

} // namespace lodge::daemon
