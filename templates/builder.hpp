#pragma once

#include "lib/base/error.hpp"
#include "templates/definition.hpp"

#include <string>

namespace lodge::templates {

/// mmdebstrap of the definition's suite and packages into the new directory `tree`, from the host's
/// own apt sources. Runs in a pid and mount namespace of its own, so that nothing of it outlives
/// us. What it needs for itself lies in `tree`.tmp: killed, it leaves that to whoever removes the
/// tree.
[[nodiscard]] Status
run_mmdebstrap(const Definition& definition, const std::string& tree, int cancel_fd);

} // namespace lodge::templates
