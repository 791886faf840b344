#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/containers/plans.hpp"

namespace lodge::daemon {

/// The operations that a dead daemon left in the log, read as this release writes them. An
/// operation with an unknown verb, arguments or step (of a newer release, or a damaged row) is
/// reported and stays in the log: a guess could undo or stop the wrong thing.

/// Whether this release writes such a verb with such arguments. `unsupported` names the unknown
/// part. Pure.
[[nodiscard]] Status check_logged(const LoggedOperation& left);

/// The order of a stop in the log, without a halt: init is not asked again.
[[nodiscard]] StopOrder forced_order_of(const LoggedOperation& left);
/// The same with the whole time for init to halt: the log does not say how much of it was left.
[[nodiscard]] StopOrder whole_order_of(const LoggedOperation& left);

/// The operation's plan, rebuilt. `unsupported` as check_logged(), and when the log has a step that
/// the plan lacks. Fails also when the row cannot be read.
[[nodiscard]] Result<Plan>
plan_of(const Parts& parts, const LoggedOperation& left, const StopOrder& order);

} // namespace lodge::daemon
