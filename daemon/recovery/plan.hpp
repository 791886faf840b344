#pragma once

#include "daemon/recovery/inventory.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// The facts about one container, or about the objects that carry a container's UUID, from rows,
/// monitors and kernel.
struct Sighting {
    bool has_row = false;
    bool published = false;
    model::State state = model::State::stopped;
    bool this_boot = true; ///< the row's state was written in this boot
    MonitorSign monitor = MonitorSign::none;
    bool same_init = true; ///< the living monitor's init is the row's
    bool has_group = false;
    bool group_frozen = false; ///< asked to be, see GroupManager::is_frozen
};

/// The decision about it.
enum class Recovery : std::uint8_t {
    nothing,
    take_up,             ///< it runs with its monitor: watch it, and collect an init that has ended
    take_up_as_recorded, ///< the same, but group and row differ on frozen; the row counts
    stop,                ///< the row and the kernel do not agree
    mark_stopped,        ///< the host was booted anew: no kernel object is left
    remove_row,          ///< its create was never completed
    sweep,               ///< kernel objects that no row claims
};

/// Decides about one container. Pure. docs/reliability.md has its truth table; a unit test holds
/// the two against each other.
[[nodiscard]] Recovery decide(const Sighting& sighting);

/// One step of recovery.
struct RecoveryStep {
    enum class Act : std::uint8_t {
        finish_operation, ///< of a dead daemon; the inventory is taken after these
        resume_operation, ///< its container halts: runs on after the container was taken up
        take_up,
        freeze,
        thaw,
        stop,
        mark_stopped,
        remove_row,
        sweep,
        mend_bridge,
        mend_forwarding,
        mend_firewall,
        mend_card, ///< the card exists with a fault
        admit_card,
        remove_card,
        expel_card,
        close_volume,
        remove_directory,
        remove_image,
        unmount_image,
        discard_work,
        forget_console,
        report, ///< only reported: not ours to repair
    };
    Act act = Act::report;
    Uuid uuid;           ///< of the container, or of the operation; nil where there is none
    std::string subject; ///< the container's name, else the thing's own
    std::string why;

    bool operator==(const RecoveryStep&) const = default;
};
/// "take_up", "remove_card".
[[nodiscard]] std::string_view to_string(RecoveryStep::Act act) noexcept;

/// All steps of recovery for an inventory, in order. Pure. It removes a thing only if the thing
/// carries a name of ours and neither a row nor a living monitor that a row knows claims it. It
/// reports and keeps a container whose row was lost.
[[nodiscard]] std::vector<RecoveryStep> plan_recovery(const Inventory& seen);

} // namespace lodge::daemon
