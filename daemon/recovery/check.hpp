#pragma once

#include "daemon/images/template_service.hpp"
#include "daemon/recovery/inventory.hpp"
#include "daemon/recovery/recovery.hpp"

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// Something about which database, kernel and disk do not agree.
struct Finding {
    enum class State : std::uint8_t {
        mendable, ///< a repair would do the step
        mended,
        unmended, ///< `outcome.error` says why
        found,    ///< not ours to mend
    };
    RecoveryOutcome outcome;
    State state = State::found;
};
[[nodiscard]] std::string_view to_string(Finding::State state) noexcept;

struct CheckReport {
    std::int64_t took_ms = 0;
    std::vector<Finding> findings; ///< in the order of the steps
    std::vector<Holder> busy;      ///< what they work on was not judged
};

/// The steps of `second` that `first` has too: what came and went by itself is in one of them.
/// Pure.
[[nodiscard]] std::vector<RecoveryStep> seen_twice(const std::vector<RecoveryStep>& first,
                                                   std::vector<RecoveryStep> second);

/// Recovery's look and plan, in the living daemon. Thread-safe.
class HostCheck {
  public:
    HostCheck(const Parts& parts, OperationEngine& engine, OperationLog& log, Templates& templates)
        : parts_(parts), engine_(engine), log_(log), templates_(templates) {}

    /// Looks while operations go on, and again when something was found: only what both looks show
    /// counts, and nothing that an operation held during either. A repair takes the locks of the
    /// containers concerned before the second look and keeps them until all is done, and looks a
    /// last time: a step is mended when that shows it no more. Each becomes an event, as at a
    /// start. Fails when something could not be looked at, and when another repair is on its way
    /// (busy).
    [[nodiscard]] Result<CheckReport> run(bool repair);

  private:
    struct Seen {
        Look look;
        std::vector<RecoveryStep> steps;
    };
    struct Course {
        std::vector<Hold> locks;
        std::map<Uuid, Holder> busy;
    };
    Result<Seen> look(Course& course, const Seen* to_lock);
    Status lock(Course& course, const Seen& seen);
    std::vector<Finding> act_on(Seen& seen, bool repair);
    Status look_after(Course& course, std::vector<Finding>& findings);

    const Parts& parts_;
    OperationEngine& engine_;
    OperationLog& log_;
    Templates& templates_;
};

} // namespace lodge::daemon
