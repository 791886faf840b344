#pragma once

#include "network/network.hpp"

struct nl_sock;

namespace lodge::network {

/// The bridge part of LinkDriver, on a socket of its namespace.
[[nodiscard]] Status ensure_bridge(nl_sock* socket, const BridgeSpec& bridge);
[[nodiscard]] Result<std::string> bridge_fault(nl_sock* socket, const BridgeSpec& bridge);
[[nodiscard]] Status remove_bridge(nl_sock* socket, const std::string& name);

} // namespace lodge::network
