#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::templates {

/// One "deb" entry of the host's apt configuration.
struct AptSource {
    std::string uri;
    std::string suite;
    std::string components;
    std::string signed_by; ///< path of a keyring, or empty
};

/// Parses one-line (sources.list) and deb822 (.sources) forms, man 5 sources.list. Other text is
/// left out: apt reports it. Pure.
[[nodiscard]] std::vector<AptSource> parse_sources_list(std::string_view text);
[[nodiscard]] std::vector<AptSource> parse_deb822_sources(std::string_view text);

/// The host's own sources of its release `codename`, with `suite` in its place, as sources.list
/// lines. Third-party sources, whose suites have other names, are left out. not_found when no
/// source remains. Pure.
[[nodiscard]] Result<std::string> sources_for_suite(const std::vector<AptSource>& host,
                                                    const std::string& codename,
                                                    const std::string& suite);

/// Reads the host's configuration and does the above.
[[nodiscard]] Result<std::string> host_sources_for_suite(const std::string& suite);

} // namespace lodge::templates
