#pragma once

#include "network/mac.hpp"
#include "network/network.hpp"

#include <string>
#include <vector>

struct nl_sock;

namespace lodge::network {

/// Puts the link `port` into the bridge `bridge`; both are indexes.
[[nodiscard]] Status enslave(nl_sock* socket, int port, int bridge, const std::string& name);
/// Sets the port up; its bridge has a static entry for the card's MAC address, does not learn and
/// does not flood.
[[nodiscard]] Status
make_port(nl_sock* socket, int port, const std::string& name, const MacAddress& behind);
/// LinkDriver::cards(), on a socket of its namespace.
[[nodiscard]] Result<std::vector<FoundCard>> find_cards(nl_sock* socket, const std::string& bridge);

} // namespace lodge::network
