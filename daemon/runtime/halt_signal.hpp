#pragma once

#include "daemon/runtime/runtime.hpp"

#include <string>

namespace lodge::daemon {

/// The number of a template's halt signal: "SIGRTMIN+3", "SIGPWR". SIGTERM when it is none.
[[nodiscard]] int halt_signal_number(const std::string& name);
/// Whether init is deaf: it was started only just now and neither catches nor blocks the signal,
/// which would be lost. If that cannot be read, it is not deaf.
[[nodiscard]] bool is_deaf(const InitProcess& init, int signal_number);

} // namespace lodge::daemon
