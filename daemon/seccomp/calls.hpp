#pragma once

#include "daemon/seccomp/profile.hpp"

#include <span>
#include <string_view>

namespace lodge::daemon {

/// Calls that every tenant gets, by libseccomp's names; among them those that only i386 has.
[[nodiscard]] std::span<const std::string_view> allowed_calls();

/// Socket families (socket(2), first argument) that a tenant gets. The others are EAFNOSUPPORT:
/// they are rarely used and rarely read kernel code, or (AF_VSOCK) lead past the network to the
/// hypervisor.
[[nodiscard]] std::span<const int> allowed_socket_families();

/// Execution domains (personality(2)) that a tenant gets: queries, 32-bit uname, no randomisation.
[[nodiscard]] std::span<const unsigned long> allowed_personalities();

} // namespace lodge::daemon
