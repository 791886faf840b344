#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/model/address.hpp"

namespace lodge::daemon {

/// Waits until an SSH server at `address`, port 22, sends its greeting. timeout at the deadline.
[[nodiscard]] Status wait_for_ssh(const model::IpAddress& address, const Deadline& deadline);

} // namespace lodge::daemon
