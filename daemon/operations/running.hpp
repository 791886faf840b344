#pragma once

#include "daemon/operations/engine.hpp"
#include "lib/base/unique_fd.hpp"

#include <string>

namespace lodge::daemon {

/// An operation, or a hold, while the engine knows it. The engine's lock protects it, except the
/// plan, which only the worker uses.
struct OperationEngine::Running {
    OperationView view;
    Plan plan;
    std::string arguments;
    UniqueFd cancelled; ///< an eventfd while it can be cancelled
    bool cancel_asked = false;
    bool left = false; ///< to the next daemon; only for the worker
    bool accepted = false;
    bool answered = false;
    bool released = false;
};

} // namespace lodge::daemon
