#pragma once

#include "daemon/settings.hpp"
#include "lib/model/address.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// The name servers for a container.
struct Resolvers {
    std::vector<std::string> servers;
    std::string source;  ///< the file of the host that names them, or the key of the configuration
    std::string why_not; ///< a sentence, when there are none
};

/// The name servers of a resolv.conf (man 5 resolv.conf) that a container can reach: none on
/// loopback, which is another one in the container; none link-local, because the zone of such an
/// address is a link of the host; the first three, because no resolver reads more. Pure.
[[nodiscard]] std::vector<model::IpAddress> usable_nameservers(std::string_view text);

/// Those of the configuration. Without any, the host's own of the families of `addresses`: from
/// /etc/resolv.conf, or, when that names none that a container can reach, from the file in which
/// the host's local resolver keeps its upstream servers.
[[nodiscard]] Resolvers resolvers_for(const Settings& settings,
                                      const std::vector<model::CidrAddress>& addresses);

} // namespace lodge::daemon
