#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/operations/plan.hpp"
#include "daemon/services/containers.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace lodge::daemon {

/// The verbs of containers as plans. Each function takes the row that was read when the operation
/// began. Recovery calls it again with the same row, so an undo needs names alone.

/// Takes a sentence about a part of the request that will not hold.
using Warn = std::function<void(const std::string& sentence)>;

/// `request` is null at recovery, which needs only the undo and warns nobody.
[[nodiscard]] Plan create_plan(const Parts& parts,
                               const model::Container& container,
                               std::shared_ptr<CreateRequest> request,
                               Warn warn = {});
[[nodiscard]] Plan start_plan(const Parts& parts, const model::Container& container);
/// How to stop: by default by force.
struct StopOrder {
    bool unasked = false;   ///< init ended by itself: the restart policy applies
    bool with_host = false; ///< the host goes down: the container comes up with it again
    std::optional<std::chrono::milliseconds> halt_timeout; ///< init is asked to halt within this
    std::optional<Deadline> deadline; ///< also of the halt; the earlier one counts
};
/// Whether a container whose init asked for a reboot is started again in the same operation: it ran
/// soundly, or its last life was the first short one in a row. Else the container is collected, and
/// its next start is planned with a pause that doubles (model::reboot_delay).
[[nodiscard]] bool reboots_at_once(const model::Container& container);
/// The step in which init has its time to halt; the next step kills.
inline constexpr const char* kHaltStep = "halt";
[[nodiscard]] Plan
stop_plan(const Parts& parts, const model::Container& container, const StopOrder& order);
[[nodiscard]] Plan
restart_plan(const Parts& parts, const model::Container& container, const StopOrder& order);
/// Holds every process of a running container, or lets those of a frozen one run on: first the
/// group, then the row.
[[nodiscard]] Plan freeze_plan(const Parts& parts, const model::Container& container);
[[nodiscard]] Plan thaw_plan(const Parts& parts, const model::Container& container);
/// Gives the container another spec: first the limits of its group, if it runs, then the row. The
/// undo restores those of `container`. At recovery `spec` is the row's own.
[[nodiscard]] Plan
set_plan(const Parts& parts, const model::Container& container, const model::ContainerSpec& spec);
/// Runs the whole stop, whatever the state, because an earlier stop may have left objects. Then
/// removes the container.
[[nodiscard]] Plan destroy_plan(const Parts& parts, const model::Container& container);

/// Appends the steps of `tail` to `head`. Commit point, answer, `committed` and `failed` become
/// those of `tail`; `on_recovery` becomes rerun.
[[nodiscard]] Plan followed_by(Plan head, Plan tail);

} // namespace lodge::daemon
