#pragma once

#include "lib/model/container.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// /etc/hosts (man 5 hosts) of a container. Pure.

/// The container's addresses, without their networks.
[[nodiscard]] std::vector<std::string> address_texts(const model::Container& container);

/// As a new container has it.
[[nodiscard]] std::string hosts_text(const std::string& hostname,
                                     const std::vector<std::string>& addresses);

/// `text` with the host name `now` where it had `before`, on the lines of the loopback and of the
/// container's own `addresses`; what else is in it stays as its tenant wrote it. Where no such line
/// knows `now` afterwards, lines for the addresses are added. `before` may be empty: unknown.
[[nodiscard]] std::string renamed_hosts(std::string_view text,
                                        const std::string& before,
                                        const std::string& now,
                                        const std::vector<std::string>& addresses);

} // namespace lodge::daemon
