#pragma once

#include "daemon/settings.hpp"
#include "lib/secret/secret_buffer.hpp"

namespace lodge::daemon {

/// The host's own key, which authenticates its records, in STATE/host.key. It is no key of the
/// provider's: records are checked whether the provider is ready or not, and outlive a change of
/// its master key. not_found when it is not there.
[[nodiscard]] Result<secret::SecretBuffer> read_host_key(const Settings& settings);

/// Makes it if it is not there. True: made.
[[nodiscard]] Result<bool> make_host_key(const Settings& settings);

} // namespace lodge::daemon
