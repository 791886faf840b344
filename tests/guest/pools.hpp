#pragma once

#include <string>
#include <vector>

/// Takes of what the whole host shares: each is a command of the guest program, says how much it
/// got, holds it until its input ends, and returns its exit code.
namespace guest {

/// So many terminals at most.
int run_take_terminals(const std::vector<std::string>& arguments);
/// So many slots of asynchronous I/O at most.
int run_take_aio(const std::vector<std::string>& arguments);
/// Sends a datagram to an IPv4 address and port from so many ports of its own: as many connections
/// for whoever tracks them.
int run_take_connections(const std::vector<std::string>& arguments);

} // namespace guest
