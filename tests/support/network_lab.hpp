#pragma once

#include "network/network.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/net_namespace.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lodge::test {

using Bytes = std::vector<std::uint8_t>;

/// The output of an independent program, or "failed: ..." with the reason.
[[nodiscard]] std::string witness(std::vector<std::string> command);
/// The same, run inside the namespace.
[[nodiscard]] std::string witness_in(const NetNamespace& space, std::vector<std::string> command);

/// A stand-in for a running container: its namespace and its card.
struct LabHost {
    NetNamespace space;
    network::Nic nic;
    [[nodiscard]] std::string v4() const { return nic.addresses[0].address.to_string(); }
    [[nodiscard]] std::string v6() const { return nic.addresses[1].address.to_string(); }
};

/// A bridge with its firewall in the test's own namespace, which stands for the host, and network
/// namespaces that stand for containers. All of it ends with the test.
class NetworkLab : public LeakChecked {
  protected:
    void SetUp() override;
    void TearDown() override;

    /// A card with the addresses 10.99.0.`number` and fd99::`number`, admitted and attached.
    LabHost& add_host(int number);
    [[nodiscard]] network::Nic make_nic(int number) const;

    /// A network beyond the host, 192.0.2.0/24 and 2001:db8::/64; the host is .1 and the namespace
    /// returned is .9 in it.
    NetNamespace& add_uplink();

    /// Packets that the rule with this comment has counted, as nft(8) says; -1: no such rule.
    [[nodiscard]] static long counted(const std::string& family, const std::string& comment);

    network::BridgeSpec bridge_;
    std::unique_ptr<network::LinkDriver> links_ = network::make_link_driver();
    std::unique_ptr<network::FirewallDriver> firewall_ = network::make_firewall_driver();
    std::deque<LabHost> hosts_;
    std::optional<NetNamespace> uplink_;
};

/// A socket of the namespace bound to `address` and `port`; of this thread's when `space` is null.
[[nodiscard]] UniqueFd
bound_socket(const NetNamespace* space, int type, const std::string& address, std::uint16_t port);
/// Sends one datagram to `address`; the errno, or 0.
int send_datagram(int socket, const std::string& text, const std::string& to, std::uint16_t port);
/// The next datagram and its sender, "text from address"; "nothing" at the deadline.
[[nodiscard]] std::string receive_datagram(int socket);
/// Connects to a listener at `address` and `port` from inside `space`. 0 or the errno; ETIMEDOUT
/// at the deadline.
[[nodiscard]] int
connect_tcp(const NetNamespace& space, const std::string& address, std::uint16_t port);
/// Accepts one connection and returns its source address.
[[nodiscard]] std::string accept_from(int listener);

/// A raw packet socket on the namespace's eth0.
[[nodiscard]] UniqueFd packet_socket(const NetNamespace& space);
void send_frame(int packet_socket, const Bytes& frame);

[[nodiscard]] Bytes mac_bytes(const std::string& text);
[[nodiscard]] Bytes address_bytes(const std::string& text);
[[nodiscard]] Bytes text_bytes(const std::string& text);
[[nodiscard]] Bytes join(std::initializer_list<Bytes> parts);
/// Frames as a hostile tenant writes them.
struct Frame {
    Bytes to;
    Bytes from;
    std::string source;      ///< of the packet
    std::string destination; ///< of the packet
};
/// `protocol` 253 and 59 (none) carry anything.
[[nodiscard]] Bytes ipv4_frame(const Frame& frame, std::uint8_t protocol, const Bytes& payload);
[[nodiscard]] Bytes ipv6_frame(const Frame& frame, std::uint8_t next, const Bytes& payload);
[[nodiscard]] Bytes udp_bytes(std::uint16_t from, std::uint16_t to, const Bytes& payload);

} // namespace lodge::test
