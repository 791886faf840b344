#include "lib/kernel/program.hpp"
#include "network/network.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/net_namespace.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::network {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::string witness(std::vector<std::string> command) {
    kernel::Program program{.path = command.front(),
                            .deadline = Deadline::after(std::chrono::seconds(10))};
    program.arguments.assign(command.begin() + 1, command.end());
    const auto output = kernel::run_program(program);
    return output ? output->standard_output : "failed: " + output.error().to_string();
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        ++found;
    }
    return found;
}

struct Host {
    test::NetNamespace space;
    Nic nic;
};

class NetworkTest : public test::LeakChecked {
  protected:
    void SetUp() override {
        LeakChecked::SetUp();
        bridge_ = {.name = "lodge-t0",
                   .addresses = {model::CidrAddress::parse("10.99.0.1/24").value(),
                                 model::CidrAddress::parse("fd99::1/64").value()}};
        ASSERT_TRUE(links_->ensure_bridge(bridge_));
        ASSERT_TRUE(firewall_->ensure_tables(bridge_));
    }
    void TearDown() override {
        hosts_.clear();
        EXPECT_TRUE(firewall_->remove_tables());
        EXPECT_TRUE(links_->remove_bridge(bridge_.name));
        LeakChecked::TearDown();
    }

    Host& add_host(int number) {
        Host& host = hosts_.emplace_back();
        host.nic = {
            .container = Uuid::generate().value(),
            .bridge = bridge_.name,
            .addresses =
                {model::CidrAddress::parse("10.99.0." + std::to_string(number) + "/24").value(),
                 model::CidrAddress::parse("fd99::" + std::to_string(number) + "/64").value()},
            .gateways = {bridge_.addresses[0].address, bridge_.addresses[1].address}};
        host.nic.mac_address = mac_address_of(host.nic.container);
        EXPECT_TRUE(firewall_->admit(host.nic));
        const Status attached = links_->attach(host.nic, host.space.fd());
        EXPECT_TRUE(attached) << attached.error().to_string();
        return host;
    }

    BridgeSpec bridge_;
    std::unique_ptr<LinkDriver> links_ = make_link_driver();
    std::unique_ptr<FirewallDriver> firewall_ = make_firewall_driver();
    std::vector<Host> hosts_;
};

// A UDP echo of one datagram between two sockets bound in their namespaces; true when it came
// through.
bool datagram_passes(const Host& from, const Host& to, int family) {
    const std::string target = to.nic.addresses[family == AF_INET ? 0 : 1].address.to_string();
    UniqueFd receiver;
    to.space.run([&] { receiver.reset(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    sockaddr_storage address{};
    socklen_t size = 0;
    if (family == AF_INET) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(7777);
        (void)::inet_pton(AF_INET, target.c_str(), &v4->sin_addr);
        size = sizeof *v4;
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(7777);
        (void)::inet_pton(AF_INET6, target.c_str(), &v6->sin6_addr);
        size = sizeof *v6;
    }
    EXPECT_EQ(::bind(receiver.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    UniqueFd sender;
    from.space.run([&] { sender.reset(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    EXPECT_EQ(::sendto(sender.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&address), size), 1);
    pollfd wait{.fd = receiver.get(), .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, 2000) == 1;
}

UniqueFd packet_socket(const test::NetNamespace& space) {
    UniqueFd socket;
    space.run([&] {
        socket.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        address.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    });
    return socket;
}

Bytes mac_bytes(const std::string& text) {
    Bytes mac;
    for (std::size_t at = 0; at < text.size(); at += 3) {
        mac.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(at, 2), nullptr, 16)));
    }
    return mac;
}

Bytes join(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

// The header's checksum (RFC 1071): a host with br_netfilter drops a frame without it.
void set_checksum(Bytes& header) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < header.size(); i += 2) {
        sum += static_cast<std::uint32_t>(header[i] << 8 | header[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    header[10] = static_cast<std::uint8_t>(sum >> 8 & 0xff);
    header[11] = static_cast<std::uint8_t>(sum & 0xff);
}

Bytes ipv4_frame(const Bytes& to, const Bytes& from, const Bytes& source, const std::string& mark) {
    const Bytes payload(mark.begin(), mark.end());
    const auto length = static_cast<std::uint8_t>(20 + payload.size());
    Bytes header = join({{0x45, 0, 0, length, 0, 0, 0, 0, 64, 253, 0, 0}, source, {10, 99, 0, 3}});
    set_checksum(header);
    return join({to, from, {0x08, 0x00}, header, payload});
}

Bytes ipv6_frame(const Bytes& to,
                 const Bytes& from,
                 const std::string& source,
                 const std::string& mark) {
    const Bytes payload(mark.begin(), mark.end());
    Bytes addresses(32);
    (void)::inet_pton(AF_INET6, source.c_str(), addresses.data());
    (void)::inet_pton(AF_INET6, "fd99::3", addresses.data() + 16);
    return join({to,
                 from,
                 {0x86, 0xdd},
                 {0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(payload.size()), 59, 64},
                 addresses,
                 payload});
}

Bytes arp_frame(const Bytes& from,
                const Bytes& sender_mac,
                const Bytes& sender,
                const std::string& mark) {
    return join({Bytes(6, 0xff),
                 from,
                 {0x08, 0x06},
                 {0, 1, 8, 0, 6, 4, 0, 2},
                 sender_mac,
                 sender,
                 Bytes(6, 0),
                 {10, 99, 0, 3},
                 Bytes(mark.begin(), mark.end())});
}

// Sends the frames, then one that surely passes; returns the marks that were seen until that one
// came.
std::string marks_that_pass(const Host& from,
                            const Host& to,
                            const std::vector<Bytes>& frames,
                            const Bytes& last) {
    const UniqueFd receiver = packet_socket(to.space);
    const UniqueFd sender = packet_socket(from.space);
    for (const Bytes& frame : frames) {
        EXPECT_EQ(::send(sender.get(), frame.data(), frame.size(), 0),
                  static_cast<ssize_t>(frame.size()));
    }
    EXPECT_EQ(::send(sender.get(), last.data(), last.size(), 0), static_cast<ssize_t>(last.size()));
    std::string seen;
    std::array<char, 2048> buffer{};
    pollfd wait{.fd = receiver.get(), .events = POLLIN, .revents = 0};
    while (::poll(&wait, 1, 5000) == 1) {
        const ssize_t size = ::recv(receiver.get(), buffer.data(), buffer.size(), 0);
        const std::string frame(buffer.data(), static_cast<std::size_t>(size > 0 ? size : 0));
        for (std::size_t at = frame.find("mark:"); at != std::string::npos;
             at = frame.find("mark:", at + 1)) {
            if (seen.find(frame[at + 5]) == std::string::npos) { // an ICMP answer quotes the frame
                seen += frame[at + 5];
            }
        }
        if (frame.find("mark:Z") != std::string::npos) {
            return seen;
        }
    }
    return seen + " (the last frame never came)";
}

TEST_F(NetworkTest, GivesTheCardItsNameAddressesAndRoutes) {
    const Host& host = add_host(2);
    std::string addresses;
    std::string routes;
    host.space.run([&] {
        addresses = witness({"ip", "-o", "addr"});
        routes = witness({"ip", "route"}) + witness({"ip", "-6", "route"});
    });
    EXPECT_NE(addresses.find("eth0    inet 10.99.0.2/24 brd 10.99.0.255"), std::string::npos)
        << addresses;
    EXPECT_NE(addresses.find("inet6 fd99::2/64"), std::string::npos) << addresses;
    EXPECT_NE(addresses.find("inet6 fd99::2/64 scope global nodad"), std::string::npos)
        << addresses;
    EXPECT_NE(addresses.find("127.0.0.1/8"), std::string::npos) << addresses;
    EXPECT_NE(routes.find("default via 10.99.0.1 dev eth0"), std::string::npos) << routes;
    EXPECT_NE(routes.find("default via fd99::1 dev eth0"), std::string::npos) << routes;
    const std::string outside = witness({"ip", "-o", "link", "show", "master", bridge_.name});
    EXPECT_NE(outside.find(host.nic.host_name()), std::string::npos) << outside;
}

TEST_F(NetworkTest, LetsContainersTalkOverBothFamilies) {
    add_host(2);
    add_host(3);
    EXPECT_TRUE(datagram_passes(hosts_[0], hosts_[1], AF_INET));
    EXPECT_TRUE(datagram_passes(hosts_[1], hosts_[0], AF_INET6));
}

TEST_F(NetworkTest, StopsSpoofedFrames) {
    add_host(2);
    add_host(3);
    const Host& from = hosts_[0];
    const Bytes own = mac_bytes(from.nic.mac_address);
    const Bytes other = mac_bytes(hosts_[1].nic.mac_address);
    const Bytes foreign{2, 0, 0, 9, 9, 9};
    const std::vector<Bytes> frames{
        ipv4_frame(other, own, {10, 99, 0, 77}, "mark:a"),
        ipv4_frame(other, foreign, {10, 99, 0, 2}, "mark:b"),
        ipv6_frame(other, own, "fd99::77", "mark:c"),
        ipv6_frame(other, own, "fe80::1", "mark:d"),
        ipv6_frame(other, foreign, "fd99::2", "mark:e"),
        arp_frame(own, own, {10, 99, 0, 1}, "mark:f"),
        arp_frame(own, foreign, {10, 99, 0, 2}, "mark:g"),
        join({other, own, {0x88, 0x47}, {'m', 'a', 'r', 'k', ':', 'h'}}),
    };
    const Bytes last = ipv4_frame(other, own, {10, 99, 0, 2}, "mark:Z");
    EXPECT_EQ(marks_that_pass(from, hosts_[1], frames, last), "Z");
    // The same frames pass once nothing is checked: the test can fail.
    EXPECT_TRUE(firewall_->remove_tables());
    EXPECT_EQ(marks_that_pass(from, hosts_[1], frames, last), "abcdefghZ");
}

TEST_F(NetworkTest, MasqueradesTowardsTheUplink) {
    add_host(2);
    ASSERT_TRUE(enable_forwarding());
    ASSERT_EQ(witness({"ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1"}), "");
    ASSERT_EQ(witness({"ip", "addr", "add", "192.0.2.1/24", "dev", "up0"}), "");
    ASSERT_EQ(witness({"ip", "link", "set", "up0", "up"}) +
                  witness({"ip", "link", "set", "up1", "up"}),
              "");
    UniqueFd watcher(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex("up0"));
    ASSERT_EQ(::bind(watcher.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(
        witness({"ip", "neigh", "add", "192.0.2.9", "lladdr", "02:00:00:00:00:09", "dev", "up0"}),
        "");
    UniqueFd sender;
    hosts_[0].space.run([&] { sender.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(9);
    (void)::inet_pton(AF_INET, "192.0.2.9", &target.sin_addr);
    ASSERT_EQ(
        ::sendto(sender.get(), "mark:M", 6, 0, reinterpret_cast<sockaddr*>(&target), sizeof target),
        6);
    std::array<std::uint8_t, 2048> frame{};
    pollfd wait{.fd = watcher.get(), .events = POLLIN, .revents = 0};
    std::string source = "nothing came";
    while (::poll(&wait, 1, 5000) == 1) {
        const ssize_t size = ::recv(watcher.get(), frame.data(), frame.size(), 0);
        if (size > 42 && std::memcmp(frame.data() + 42, "mark:M", 6) == 0) {
            std::array<char, INET_ADDRSTRLEN> text{};
            source = ::inet_ntop(AF_INET, frame.data() + 26, text.data(), text.size());
            break;
        }
    }
    EXPECT_EQ(source, "192.0.2.1");
    (void)witness({"ip", "link", "del", "up0"});
}

TEST_F(NetworkTest, KeepsTheNumberOfRulesConstant) {
    add_host(2);
    const std::string before = witness({"nft", "-s", "list", "table", "bridge", "lodge"});
    for (int number = 3; number < 23; ++number) {
        add_host(number);
    }
    const std::string after = witness({"nft", "-s", "list", "table", "bridge", "lodge"});
    EXPECT_EQ(count(before, " drop\n"), count(after, " drop\n")) << after;
    EXPECT_EQ(count(before, " accept\n"), count(after, " accept\n"));
    EXPECT_EQ(firewall_->admitted().value().size(), 21U);
}

TEST_F(NetworkTest, EnsuresTwiceWithoutAChange) {
    const Host& host = add_host(2);
    const std::string rules = witness({"nft", "-s", "list", "ruleset"});
    const std::string addresses = witness({"ip", "-o", "addr"});
    ASSERT_TRUE(links_->ensure_bridge(bridge_));
    ASSERT_TRUE(firewall_->ensure_tables(bridge_));
    EXPECT_EQ(witness({"nft", "-s", "list", "ruleset"}), rules);
    EXPECT_EQ(witness({"ip", "-o", "addr", "show", bridge_.name}).find("failed"),
              std::string::npos);
    EXPECT_EQ(firewall_->admitted().value(), std::vector<std::string>{host.nic.host_name()});
}

TEST_F(NetworkTest, ForgetsAContainerThatWasExpelledAndDetached) {
    const Host host = std::move(add_host(2));
    hosts_.clear();
    ASSERT_TRUE(firewall_->expel(host.nic.host_name()));
    ASSERT_TRUE(firewall_->expel(host.nic.host_name())) << "again";
    ASSERT_TRUE(links_->detach(host.nic.host_name()));
    ASSERT_TRUE(links_->detach(host.nic.host_name())) << "again";
    EXPECT_TRUE(firewall_->admitted().value().empty());
    EXPECT_TRUE(links_->links("ve-").value().empty());
    EXPECT_EQ(witness({"nft", "list", "ruleset"}).find(host.nic.host_name()), std::string::npos);
}

TEST_F(NetworkTest, RefusesABridgeNameThatAnotherLinkHas) {
    const auto status = links_->ensure_bridge({.name = "lo"});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::already_exists);
    EXPECT_FALSE(links_->ensure_bridge({.name = "a-name-of-16-char"}));
}

} // namespace
} // namespace lodge::network
