#include "daemon/autostart/autostart.hpp"

#include "daemon/autostart/boot_sequence.hpp"
#include "daemon/records/files.hpp"
#include "lib/base/contained.hpp"
#include "lib/base/revert.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace lodge::daemon {

namespace {

using std::chrono::milliseconds;

// By then a killed container has ended, or it waits in the kernel and is reported as broken.
constexpr auto kForcedEnd = std::chrono::seconds(30);

bool is_up(const model::Container& container) {
    return container.state == model::State::running || container.state == model::State::frozen;
}

std::vector<PlannedStart> plan_boot(const Parts& parts,
                                    std::vector<ContainerRepository::BootRow> rows) {
    std::vector<Candidate> candidates;
    for (ContainerRepository::BootRow& row : rows) {
        const bool up = is_up(row.container);
        if (up && row.boot_id == parts.boot_id) {
            continue; // it runs already
        }
        candidates.push_back({.container = std::move(row.container), .was_up = up});
    }
    return boot_sequence(std::move(candidates), boottime_ms());
}

Result<std::size_t> write_boot(const Parts& parts) {
    return parts.containers.enter_boot(parts.boot_id,
                                       [&](std::vector<ContainerRepository::BootRow> rows) {
                                           return plan_boot(parts, std::move(rows));
                                       });
}

// Waits for an event, for a second at most: a holder of a name that is no operation ends without an
// event. False: the deadline is over, or the daemon ends.
bool wait_for(EventSubscription& news, const Deadline& deadline) {
    const Deadline look = Deadline::after(
        std::min<Deadline::Clock::duration>(deadline.left(), std::chrono::seconds(1)));
    return news.next(look) || (look.expired() && !deadline.expired());
}

// The names of the containers that are being started, joined by commas.
std::string names_being_started(OperationEngine& engine) {
    std::string names;
    for (const OperationView& view : engine.list()) {
        const ContainerVerb* verb = find_container_verb(view.verb);
        if (verb != nullptr && verb->starts && view.status == OperationStatus::running) {
            names += (names.empty() ? "" : ", ") + view.resource;
        }
    }
    return names;
}

} // namespace

Status enter_boot(const Parts& parts) {
    ASSIGN_OR_RETURN(const std::string entered, parts.containers.entered_boot());
    if (entered == parts.boot_id) {
        return {};
    }
    RETURN_IF_ERROR(write_boot(parts));
    return {};
}

Autostart::Autostart(const Parts& parts,
                     Containers& containers,
                     OperationEngine& engine,
                     unsigned at_once)
    : parts_(parts), containers_(containers), engine_(engine), at_once_(at_once),
      events_(parts.events.subscribe()), thread_([this] { work(); }) {}

// Reads the rows after each event that may concern them, and when the next start is due.
void Autostart::work() {
    while (!events_->ended()) {
        const Status looked = contained([this] { return look(), Status{}; });
        if (!looked) { // out of memory: goes on after a pause
            illness_.fail();
            (void)contained([this] { return events_->next(illness_.until()), Status{}; });
        }
    }
}

void Autostart::look() {
    collect();
    const Deadline deadline = held_ ? Deadline::never() : begin_due();
    std::optional<Event> event;
    do {
        event = events_->next(deadline);
    } while (event && event->what == "progress");
}

// Begins the starts that are due. Returns the time of the next one. An event may come before it: a
// start has ended, or a name is free.
Deadline Autostart::begin_due() {
    if (illness_.waits()) {
        return illness_.until();
    }
    auto planned = parts_.containers.planned_starts();
    if (!planned) {
        illness_.fail();
        return illness_.until();
    }
    std::sort(planned->begin(), planned->end(), starts_before);
    std::stable_sort(planned->begin(), planned->end(), [](const auto& a, const auto& b) {
        return *a.start_at < *b.start_at;
    });
    const std::int64_t now = boottime_ms();
    for (const model::Container& container : *planned) {
        if (*container.start_at > now) {
            return Deadline::after(milliseconds(*container.start_at - now));
        }
        if (on_their_way_.size() < at_once_ && !on_their_way_.contains(container.uuid)) {
            begin(container);
        }
        if (illness_.waits()) {
            return illness_.until();
        }
    }
    return Deadline::never();
}

void Autostart::begin(const model::Container& container) {
    const auto operation = containers_.start(Caller{}, container.spec.name);
    if (operation) {
        on_their_way_[container.uuid] = *operation;
    } else if (operation.error().code() != ErrorCode::busy && !held_) {
        failed(container.uuid, operation.error());
    }
}

void Autostart::collect() {
    for (auto at = on_their_way_.begin(); at != on_their_way_.end();) {
        const auto view = engine_.get(at->second);
        if (view && view->status == OperationStatus::running) {
            ++at;
            continue;
        }
        if (view && view->error) {
            failed(at->first, *view->error);
        } else {
            illness_.succeed();
        }
        at = on_their_way_.erase(at);
    }
}

// Plans the next attempt by the restart policy. Does not touch a container that somebody stopped or
// started meanwhile. When the plan cannot be written, the start stays due: there is no decision and
// no event, and the start begins again after a pause.
void Autostart::failed(const Uuid& uuid, const Error& error) {
    auto container = parts_.containers.find(uuid);
    if (!container && container.error().code() != ErrorCode::not_found) {
        illness_.fail();
    }
    if (!container || is_up(*container) || !container->start_at) {
        return;
    }
    const auto seen = container->start_at;
    const auto delay = model::restart_delay(container->spec.restart, true, container->restarts);
    container->restarts = delay ? container->restarts + 1 : 0;
    container->start_at.reset();
    if (delay) {
        container->start_at = boottime_ms() + milliseconds(*delay).count();
    }
    parts_.warn("start '" + container->spec.name + "': " + error.to_string());
    const auto planned = parts_.containers.plan_start(*container, seen);
    if (!planned) {
        parts_.warn("plan the next start of '" + container->spec.name +
                    "': " + planned.error().to_string() + ", beginning it again after a pause");
        illness_.fail();
        return;
    }
    illness_.succeed();
    if (!*planned) {
        return; // somebody stopped or started it meanwhile
    }
    note_up(parts_, *container);
    parts_.announce(*container, delay ? "restarting" : "gave up", error.message());
}

Result<std::size_t> Autostart::start_up() {
    ASSIGN_OR_RETURN(const std::size_t starts, write_boot(parts_));
    ASSIGN_OR_RETURN(const auto containers, parts_.containers.list());
    for (const model::Container& container : containers) {
        note_up(parts_, container);
    }
    held_ = false;
    parts_.events.publish({.kind = "daemon", .what = kHostStartsUp}); // wakes our thread
    return starts;
}

Result<Uuid> Autostart::shut_down(std::chrono::milliseconds timeout) {
    return engine_.submit(
        {.verb = kHostShutdown, .resource = "host", .prepare = [this, timeout]() -> Result<Plan> {
             Plan plan;
             plan.steps.push_back({kShutdownStep,
                                   [this, timeout]() -> Status {
                                       // Set only when the intent is in the log: a shutdown that
                                       // could not begin must not prevent starts. Starts that began
                                       // before this are among the operations.
                                       held_ = true;
                                       const Status stopped = stop_all(Deadline::after(timeout));
                                       return events_->ended()
                                                  ? fail(ErrorCode::cancelled, "lodged ends")
                                                  : stopped;
                                   },
                                   {}});
             plan.commit = 0; // it is never undone
             plan.answer = plan.steps.size();
             return plan;
         }});
}

// Repeats until no container is up or being started: a container that was being started at the
// request is still stopped in its row.
Status Autostart::stop_all(const Deadline& deadline) {
    containers_.refuse_starts(true);
    Revert revert;
    revert.add([this] { containers_.refuse_starts(false); });
    std::set<Uuid> asked; // each only once: a second stop would fail too
    Status first;
    while (true) {
        const auto news = parts_.events.subscribe(); // before the read, so that no end is missed
        const std::string starting = names_being_started(engine_);
        ASSIGN_OR_RETURN(auto up, parts_.containers.list());
        std::erase_if(up, [&](const auto& c) { return !is_up(c) || asked.contains(c.uuid); });
        for (const model::Container& container : up) {
            asked.insert(container.uuid);
        }
        const Status stopped = stop_in_order(std::move(up), deadline);
        first = first ? stopped : first;
        if (starting.empty()) {
            return first;
        }
        if (!wait_for(*news, deadline)) {
            return first ? fail(ErrorCode::timeout, "still being started: " + starting) : first;
        }
    }
}

Status Autostart::stop_in_order(std::vector<model::Container> containers,
                                const Deadline& deadline) {
    std::sort(containers.begin(), containers.end(), starts_before);
    Status first;
    while (!containers.empty()) {
        const std::uint32_t order = containers.back().spec.boot.order;
        const auto begin = std::find_if(containers.begin(), containers.end(), [&](const auto& c) {
            return c.spec.boot.order == order;
        });
        const Status stopped = stop_together({begin, containers.end()}, deadline);
        containers.erase(begin, containers.end());
        if (first && !stopped) {
            first = stopped; // goes on with the others
        }
    }
    return first;
}

Status Autostart::stop_together(std::vector<model::Container> containers,
                                const Deadline& deadline) {
    std::vector<Uuid> operations;
    Status first;
    const auto keep = [&](const Error& error) {
        parts_.warn("host shutdown: " + error.to_string());
        if (first) {
            first = std::unexpected<Error>(error);
        }
    };
    bool waits = true; // for operations, which may leave a container running
    while (!containers.empty()) {
        const auto news = parts_.events.subscribe(); // before the read, so that no end is missed
        std::erase_if(containers, [&](const model::Container& container) {
            const auto operation = containers_.stop_with_host(container, deadline);
            if (operation) {
                operations.push_back(*operation);
                return true;
            }
            const ErrorCode code = operation.error().code();
            if (code == ErrorCode::busy && waits) {
                return false;
            }
            if (code != ErrorCode::invalid_state && code != ErrorCode::not_found) {
                keep(operation.error()); // else: stopped or destroyed meanwhile
            }
            return true;
        });
        waits = waits && !containers.empty() && wait_for(*news, deadline);
    }
    for (const Uuid& operation : operations) {
        const auto view = engine_.wait(operation, Deadline::after(deadline.left() + kForcedEnd));
        if (view && view->error) {
            keep(*view->error);
        } else if (view && view->status == OperationStatus::running) {
            keep(Error(ErrorCode::timeout,
                       "the stop of '" + view->resource + "' has not come to its end"));
        }
    }
    return first;
}

} // namespace lodge::daemon
