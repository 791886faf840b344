#pragma once

#include "daemon/settings.hpp"
#include "lib/base/error.hpp"

#include <string>
#include <string_view>

namespace lodge::daemon {

/// Puts what the YAML text says over `settings`. Every key is documented in etc/lodge.yaml; an
/// unknown or repeated one, or a bad value, is refused with its line. Pure.
[[nodiscard]] Status
apply_config(std::string_view yaml, const std::string& file_name, Settings& settings);

/// The embedded defaults; programs and definitions beside this executable when run from a build
/// tree, else where `cmake --install` puts them.
[[nodiscard]] Result<Settings> default_settings();

} // namespace lodge::daemon
