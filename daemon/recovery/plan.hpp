#pragma once

#include "daemon/recovery/inventory.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// What the truths say of one container, or of what carries a container's UUID.
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

/// What to do about it.
enum class Recovery : std::uint8_t {
    nothing,
    take_up, ///< running and watched over: go on watching, and collect an init that has ended
    take_up_as_recorded, ///< the same, but the group is frozen or not against the row, which counts
    stop,                ///< the row and the kernel do not agree
    mark_stopped,        ///< the host was booted anew: no kernel object is left
    remove_row,          ///< a create that never came to its end
    sweep,               ///< kernel objects that no row claims
};

/// The decision about one container. Pure; its truth table is in docs/reliability.md, which a unit
/// test holds against it.
[[nodiscard]] Recovery decide(const Sighting& sighting);

/// One thing to do.
struct RecoveryStep {
    enum class Act : std::uint8_t {
        finish_operation, ///< of a dead daemon; then everything is looked at again
        resume_operation, ///< its container halts: once that is taken up, as any other operation
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
        mend_card, ///< it is there, and does not carry what it should
        admit_card,
        remove_card,
        expel_card,
        close_volume,
        remove_directory,
        remove_image,
        unmount_image,
        discard_work,
        forget_console,
        report, ///< only told: it is not ours to mend
    };
    Act act = Act::report;
    Uuid uuid;           ///< of the container, or of the operation; nil where there is none
    std::string subject; ///< the container's name, else the thing's own
    std::string why;

    bool operator==(const RecoveryStep&) const = default;
};
/// "take_up", "remove_card".
[[nodiscard]] std::string_view to_string(RecoveryStep::Act act) noexcept;

/// Everything that recovery does about what was seen, in this order. Pure. Removed is only what
/// carries a name of ours, and only when neither a row nor a living monitor that a row knows claims
/// it; a container whose row was lost is told and kept.
[[nodiscard]] std::vector<RecoveryStep> plan_recovery(const Inventory& seen);

} // namespace lodge::daemon
