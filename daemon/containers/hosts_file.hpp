#pragma once

#include "lib/model/container.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// /etc/hosts (man 5 hosts) of a container. Pure.

/// The container's addresses, without their networks.
[[nodiscard]] std::vector<std::string> address_texts(const model::Container& container);

/// The text for a new container.
[[nodiscard]] std::string hosts_text(const std::string& hostname,
                                     const std::vector<std::string>& addresses);

/// `text` with the host name `now` instead of `before`, on the lines of the loopback and of the
/// container's own `addresses`. The rest stays as its tenant wrote it. If no such line has `now`
/// afterwards, lines for the addresses are added. `before` may be empty: unknown.
[[nodiscard]] std::string renamed_hosts(std::string_view text,
                                        const std::string& before,
                                        const std::string& now,
                                        const std::vector<std::string>& addresses);

} // namespace lodge::daemon
