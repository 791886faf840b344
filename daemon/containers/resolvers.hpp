#pragma once

#include "daemon/settings.hpp"
#include "lib/model/address.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// The name servers that a container is given.
struct Resolvers {
    std::vector<std::string> servers;
    std::string source;  ///< the file of the host that names them, or the key of the configuration
    std::string why_not; ///< a sentence, when there are none
};

/// The name servers of a resolv.conf (man 5 resolv.conf) that can be asked from a container: no
/// loopback, which is another one there; no link-local address, whose zone is a link of the host's;
/// the first three, as every resolver reads no more. Pure.
[[nodiscard]] std::vector<model::IpAddress> usable_nameservers(std::string_view text);

/// Those of the configuration; without any, the host's own of these families: of /etc/resolv.conf,
/// or, when that names none that can be asked from a container, of the file in which the host's
/// local resolver keeps those that it asks itself.
[[nodiscard]] Resolvers resolvers_for(const Settings& settings,
                                      const std::vector<model::CidrAddress>& addresses);

} // namespace lodge::daemon
