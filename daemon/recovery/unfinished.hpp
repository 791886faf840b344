#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/containers/plans.hpp"

namespace lodge::daemon {

/// What a dead daemon left in the log of operations, read as this release writes it. What it does
/// not know (a verb, a form of arguments, a step: a newer release's, or a damaged row) is told and
/// left in the log: to guess would be to undo or to stop what nobody understands.

/// Whether this release writes such a verb with such arguments; `unsupported` says what is foreign.
/// Pure.
[[nodiscard]] Status check_logged(const LoggedOperation& left);

/// How a stop in the log was asked for, except that init is not asked again.
[[nodiscard]] StopOrder forced_order_of(const LoggedOperation& left);
/// The same, and init gets the whole of its time anew: nobody noted how much of it was left.
[[nodiscard]] StopOrder whole_order_of(const LoggedOperation& left);

/// The operation's plan, built anew. `unsupported` as check_logged(), and when a step was intended
/// that the plan does not have; fails also when the row could not be read.
[[nodiscard]] Result<Plan>
plan_of(const Parts& parts, const LoggedOperation& left, const StopOrder& order);

} // namespace lodge::daemon
