#pragma once

#include "daemon/settings.hpp"
#include "lib/base/error.hpp"

#include <string>
#include <string_view>

namespace lodge::daemon {

/// Overwrites `settings` with the values of the YAML text. etc/lodge.yaml documents every key. An
/// unknown or repeated key, or a bad value, is refused with its line. Pure.
[[nodiscard]] Status
apply_config(std::string_view yaml, const std::string& file_name, Settings& settings);

/// The embedded defaults. Programs and definitions are beside this executable when it runs from a
/// build tree, else where `cmake --install` puts them.
[[nodiscard]] Result<Settings> default_settings();

} // namespace lodge::daemon
