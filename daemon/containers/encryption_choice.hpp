#pragma once

#include "daemon/settings.hpp"
#include "storage/encryptions.hpp"

#include <optional>

namespace lodge::daemon {

/// The encryption of a create: the one it asks for, else the configured one, else the best that
/// this host can have. unsupported when that cannot be had here; it is never replaced by a weaker
/// one.
[[nodiscard]] Result<model::Encryption>
choose_encryption(const std::optional<model::Encryption>& asked,
                  const Settings& settings,
                  const storage::Drivers& drivers);

} // namespace lodge::daemon
