#pragma once

#include "daemon/containers/plans.hpp"
#include "lib/model/change.hpp"
#include "lib/model/verb.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace lodge::daemon {

/// Who asked for the stop that a verb makes.
enum class StopsFor : std::uint8_t {
    nobody, ///< it stops none
    asker,
    init, ///< which has ended by itself
    host, ///< which goes down, and brings it up again
};

/// How recovery ends a verb that an earlier boot of the host left unfinished.
enum class BootEnding : std::uint8_t {
    as_any, ///< as one of this boot
    as_recorded,
    stays_down,
    comes_back, ///< it was up before, and is to be so again
};

/// A plan is made from this, live and at recovery alike. At recovery the wishes are absent: an undo
/// needs nothing but names, and the row counts.
struct VerbInput {
    const Parts& parts;
    model::Container container; ///< the row, read with its name held
    StopOrder order;
    std::shared_ptr<CreateRequest> request;
    std::optional<model::SpecChange> change;
    Warn warn;
};

/// A verb of containers that runs as an operation, described here and nowhere else. Immutable.
struct ContainerVerb {
    std::string_view word; ///< in the log of operations, in events and in `busy_with`
    /// The row of the table of states that allows it; none: its caller judges the state.
    std::optional<model::Verb> judged_as;
    Result<Plan> (*plan)(const VerbInput& input);
    BootEnding earlier_boot = BootEnding::as_any;
    StopsFor stops_for = StopsFor::nobody;
    bool starts = false; ///< a shutdown of the host refuses it, and waits for one on its way

    /// Whether its arguments may have the time that init gets to halt.
    [[nodiscard]] constexpr bool may_halt() const {
        return stops_for == StopsFor::asker || stops_for == StopsFor::host;
    }
};

namespace verbs {
extern const ContainerVerb kCreate;
extern const ContainerVerb kCreateAndStart;
extern const ContainerVerb kStart;
extern const ContainerVerb kStop;
extern const ContainerVerb kCollect; ///< of an init that ended by itself
extern const ContainerVerb kStopWithHost;
extern const ContainerVerb kRestart;
extern const ContainerVerb kFreeze;
extern const ContainerVerb kThaw;
extern const ContainerVerb kSet;
extern const ContainerVerb kDestroy;
} // namespace verbs

[[nodiscard]] std::span<const ContainerVerb* const> container_verbs();
/// nullptr: no such verb.
[[nodiscard]] const ContainerVerb* find_container_verb(std::string_view word);

} // namespace lodge::daemon
