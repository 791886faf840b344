#pragma once

#include "daemon/operations/engine.hpp"
#include "lib/base/unique_fd.hpp"

#include <string>

namespace lodge::daemon {

/// An operation, or a hold, while the engine knows it. Protected by the engine's lock, but for the
/// plan, which is its worker's.
struct OperationEngine::Running {
    OperationView view;
    Plan plan;
    std::string arguments;
    UniqueFd cancelled; ///< an eventfd while somebody may cancel it
    bool cancel_asked = false;
    bool left = false; ///< to the next daemon; its worker's alone
    bool accepted = false;
    bool answered = false;
    bool released = false;
};

} // namespace lodge::daemon
