#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/operations/plan.hpp"
#include "daemon/services.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace lodge::daemon {

/// The verbs of containers as plans. Each takes the row as it was read when the operation began; at
/// recovery it is built again from the same row, so that its undo needs nothing but names.

/// Told a sentence about what of a request will not hold.
using Warn = std::function<void(const std::string& sentence)>;

/// `request` is null at recovery, where only the undo is wanted, and nobody is warned.
[[nodiscard]] Plan create_plan(const Parts& parts,
                               const model::Container& container,
                               std::shared_ptr<CreateRequest> request,
                               Warn warn = {});
[[nodiscard]] Plan start_plan(const Parts& parts, const model::Container& container);
/// By force, unless it says otherwise.
struct StopOrder {
    bool unasked = false;   ///< init has ended by itself: the restart policy has its say
    bool with_host = false; ///< the host goes down: it is to come up again with it
    std::optional<std::chrono::milliseconds> halt_timeout; ///< init is asked, and has this long
    std::optional<Deadline> deadline; ///< of its halt too; the earlier one counts
};
/// Whether a container whose init has asked for a reboot is started again in the same operation: it
/// ran soundly, or its last life was the first short one in a row. Else it is collected, and its
/// next start planned with a pause that doubles (model::reboot_delay).
[[nodiscard]] bool reboots_at_once(const model::Container& container);
/// The step in which it has its time; the next one kills.
inline constexpr const char* kHaltStep = "halt";
[[nodiscard]] Plan
stop_plan(const Parts& parts, const model::Container& container, const StopOrder& order);
[[nodiscard]] Plan
restart_plan(const Parts& parts, const model::Container& container, const StopOrder& order);
/// Holds every process of a running container, or lets those of a frozen one go on: the group, then
/// the row.
[[nodiscard]] Plan freeze_plan(const Parts& parts, const model::Container& container);
[[nodiscard]] Plan thaw_plan(const Parts& parts, const model::Container& container);
/// Gives the container another spec: the limits of its group, when it runs, then the row. Undone,
/// both are as `container` has them; at recovery `spec` is the row's own.
[[nodiscard]] Plan
set_plan(const Parts& parts, const model::Container& container, const model::ContainerSpec& spec);
/// Stops first when it runs, and removes what an earlier stop could not.
[[nodiscard]] Plan destroy_plan(const Parts& parts, const model::Container& container);

/// Appends the steps of `tail` to `head`; commit, answer and recovery become those of `tail`.
[[nodiscard]] Plan followed_by(Plan head, Plan tail);

} // namespace lodge::daemon
