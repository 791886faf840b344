#pragma once

#include "daemon/images/template_service.hpp"
#include "daemon/recovery/inventory.hpp"
#include "daemon/recovery/recovery.hpp"

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// A difference between database, kernel and disk.
struct Finding {
    enum class State : std::uint8_t {
        mendable, ///< a repair would do the step
        mended,
        unmended, ///< `outcome.error` has the reason
        found,    ///< not ours to repair
    };
    RecoveryOutcome outcome;
    State state = State::found;
};
[[nodiscard]] std::string_view to_string(Finding::State state) noexcept;

struct CheckReport {
    std::int64_t took_ms = 0;
    std::vector<Finding> findings; ///< in the order of the steps
    std::vector<Holder> busy;      ///< their resources were not judged
};

/// The steps of `second` that `first` also has: a change that came and went is in one of them only.
/// Pure.
[[nodiscard]] std::vector<RecoveryStep> seen_twice(const std::vector<RecoveryStep>& first,
                                                   std::vector<RecoveryStep> second);

/// Recovery's look and plan in the running daemon. Thread-safe.
class HostCheck {
  public:
    HostCheck(const Parts& parts, OperationEngine& engine, OperationLog& log, Templates& templates)
        : parts_(parts), engine_(engine), log_(log), templates_(templates) {}

    /// Looks while operations run, and looks again if it found something. Only differences that
    /// both looks show count, and none of a resource that an operation held during either. A repair
    /// takes the locks of the containers concerned before the second look, keeps them until all is
    /// done, and looks a last time: a step is mended if that look no longer shows it. Each step
    /// becomes an event, as at a start. Fails when something cannot be read, and with busy when
    /// another repair runs.
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
