#pragma once

#include "lib/base/error.hpp"
#include "templates/definition.hpp"

#include <string>

namespace lodge::templates {

/// Runs mmdebstrap with the definition's suite and packages into the new directory `tree`, from the
/// host's own apt sources. It runs in pid and mount namespaces of its own, and is killed with the
/// calling thread, so that none of its processes outlives us. Its own files are in `tree`.tmp; when
/// it is killed, whoever removes the tree removes them.
[[nodiscard]] Status
run_mmdebstrap(const Definition& definition, const std::string& tree, int cancel_fd);

} // namespace lodge::templates
