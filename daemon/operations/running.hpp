#pragma once

#include "daemon/operations/engine.hpp"
#include "lib/base/unique_fd.hpp"

#include <string>

#include <sys/eventfd.h>

namespace lodge::daemon {

/// An operation, or a hold, while the engine knows it. Protected by the engine's lock, but for the
/// plan, which is its worker's.
struct OperationEngine::Running {
    OperationView view;
    Plan plan;
    std::string arguments;
    UniqueFd cancelled{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    bool cancel_asked = false;
    bool accepted = false;
    bool past_commit = false;
    bool answered = false;
    bool released = false;
};

/// Runs `body`; exceptions of libraries end here and become an error.
[[nodiscard]] Status call(const std::function<Status()>& body);

} // namespace lodge::daemon
