#pragma once

#include "daemon/seccomp/profile.hpp"

#include <span>
#include <string_view>

namespace lodge::daemon {

/// The calls that every tenant gets, by libseccomp's names, with those that only i386 has.
[[nodiscard]] std::span<const std::string_view> allowed_calls();

/// Socket families (socket(2), first argument) that a tenant gets. The others fail with
/// EAFNOSUPPORT: their kernel code is rarely used and rarely reviewed, or (AF_VSOCK) they reach the
/// hypervisor past the network.
[[nodiscard]] std::span<const int> allowed_socket_families();

/// Execution domains (personality(2)) that a tenant gets: queries, 32-bit uname, no randomisation.
[[nodiscard]] std::span<const unsigned long> allowed_personalities();

} // namespace lodge::daemon
