#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/network_lab.hpp"
#include "tests/support/patience.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace lodge::network {
namespace {

using namespace std::chrono_literals;
using test::LabHost;
using test::NetNamespace;

// The host's table of connections is one for all, and each container has its part of it.
class ConnectionsTest : public test::NetworkLab {
  protected:
    static constexpr std::uint32_t kMost = 32;
    static constexpr int kTried = 100;

    void SetUp() override {
        NetworkLab::SetUp();
        bridge_.most_connections = kMost;
        ASSERT_TRUE(firewall_->ensure_tables(bridge_));
    }

    // As many as are opened, one datagram each.
    static std::vector<UniqueFd>
    open_many(const NetNamespace& from, const std::string& own, const std::string& to, int port) {
        std::vector<UniqueFd> sockets;
        for (int i = 0; i < kTried; ++i) {
            sockets.push_back(test::bound_socket(&from, SOCK_DGRAM, own, 0));
            EXPECT_EQ(test::send_datagram(
                          sockets.back().get(), "x", to, static_cast<std::uint16_t>(port)),
                      0);
        }
        return sockets;
    }
    // What has come; all that was sent over links of this kernel is there at once.
    static int arrived(int socket) {
        int count = 0;
        char byte = 0;
        while (::recv(socket, &byte, 1, MSG_DONTWAIT) == 1) {
            ++count;
        }
        return count;
    }
    static int tracked() {
        const auto text = kernel::read_file("/proc/sys/net/netfilter/nf_conntrack_count", 32);
        return text ? std::stoi(*text) : -1;
    }
    static long too_many(const std::string& kind) {
        return counted("inet", "too many: " + kind + " connections of a container");
    }
    static long dropped(const std::string& kind) {
        return counted("inet", "too fast: " + kind + " connections of a container") +
               too_many(kind);
    }
};

TEST_F(ConnectionsTest, AreBoundedForEachContainer) {
    NetNamespace& world = add_uplink();
    LabHost& greedy = add_host(2);
    LabHost& other = add_host(3);
    struct Try {
        std::string kind;
        std::string own;
        std::string to;
    };
    for (const auto& [kind, own, to] :
         {Try{"IPv4", greedy.v4(), "192.0.2.9"}, Try{"IPv6", greedy.v6(), "2001:db8::9"}}) {
        const UniqueFd server = test::bound_socket(&world, SOCK_DGRAM, to, 7);
        const long before = dropped(kind);
        const auto sockets = open_many(greedy.space, own, to, 7);
        EXPECT_LE(arrived(server.get()), static_cast<int>(kMost) + 4) << "and what one second adds";
        EXPECT_GE(dropped(kind) - before, kTried - static_cast<int>(kMost) - 4);
        // New ones come slowly enough after a while, and are too many all the same.
        const long at_once = too_many(kind);
        const Deadline deadline = Deadline::after(test::patience(5s));
        while (too_many(kind) == at_once) {
            ASSERT_FALSE(deadline.expired());
            const UniqueFd one_more = test::bound_socket(&greedy.space, SOCK_DGRAM, own, 0);
            ASSERT_EQ(test::send_datagram(one_more.get(), "x", to, 7), 0);
        }
        (void)arrived(server.get());
        for (int i = 0; i < kTried; ++i) {
            ASSERT_EQ(test::send_datagram(sockets.front().get(), "x", to, 7), 0);
        }
        EXPECT_EQ(arrived(server.get()), kTried)
            << "one that is known goes on, unanswered as it is";
    }
    const UniqueFd server = test::bound_socket(&world, SOCK_STREAM, "192.0.2.9", 80);
    EXPECT_EQ(test::connect_tcp(other.space, "192.0.2.9", 80), 0) << "the others have their own";
    const std::string ping = test::witness_in(other.space, {"ping", "-c1", "-W2", "192.0.2.9"});
    EXPECT_NE(ping.find(" 0% packet loss"), std::string::npos) << ping;
    const std::string own = test::witness({"ping", "-c1", "-W2", "192.0.2.9"});
    EXPECT_NE(own.find(" 0% packet loss"), std::string::npos) << own;
    EXPECT_LE(tracked(), 2 * static_cast<int>(kMost) + 16);
}

TEST_F(ConnectionsTest, AreBoundedAlsoWhereTheHostIsAsked) {
    LabHost& greedy = add_host(2);
    const UniqueFd resolver = test::bound_socket(nullptr, SOCK_DGRAM, "10.99.0.1", 53);
    const auto sockets = open_many(greedy.space, greedy.v4(), "10.99.0.1", 53);
    EXPECT_LE(arrived(resolver.get()), static_cast<int>(kMost) + 4);
    EXPECT_LE(tracked(), static_cast<int>(kMost) + 4);
}

TEST_F(ConnectionsTest, AreBoundedAlsoWhereTheyComeFromOutside) {
    NetNamespace& world = add_uplink();
    LabHost& server = add_host(2);
    for (const char* command : {"add table ip own",
                                "add chain ip own pre { type nat hook prerouting priority -100; }",
                                "add rule ip own pre udp dport 8080 dnat to 10.99.0.2:80"}) {
        ASSERT_EQ(test::witness({"nft", command}), "");
    }
    const UniqueFd inside = test::bound_socket(&server.space, SOCK_DGRAM, server.v4(), 80);
    const auto sockets = open_many(world, "192.0.2.9", "192.0.2.1", 8080);
    const int came = arrived(inside.get());
    EXPECT_LE(came, static_cast<int>(kMost) + 4);
    EXPECT_GE(came, static_cast<int>(kMost) / 2);
    EXPECT_EQ(test::witness({"nft", "delete table ip own"}), "");
}

TEST_F(ConnectionsTest, OfContainersToOneAnotherAreNotTracked) {
    LabHost& one = add_host(2);
    LabHost& two = add_host(3);
    const auto sent = [&] {
        const int before = tracked();
        for (const auto& [own, to] : {std::pair<std::string, std::string>(one.v4(), two.v4()),
                                      std::pair<std::string, std::string>(one.v6(), two.v6())}) {
            const UniqueFd server = test::bound_socket(&two.space, SOCK_DGRAM, to, 7);
            const auto sockets = open_many(one.space, own, to, 7);
            EXPECT_EQ(arrived(server.get()), kTried) << "nothing bounds them";
        }
        return tracked() - before;
    };
    EXPECT_LT(sent(), kTried / 10) << "but for what neighbours say on their own";
    if (::access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK) == 0) {
        ASSERT_EQ(test::witness({"nft", "flush chain inet lodge prerouting"}), "");
        ASSERT_EQ(test::witness({"nft", "flush chain inet lodge forward"}), "");
        EXPECT_GT(sent(), kTried) << "br_netfilter would have them tracked";
    }
}

// Straight over the bridge, the answer would come from an address that was not asked.
TEST_F(ConnectionsTest, ToAMappedPortOfANeighbourComeBackThroughTheHost) {
    add_uplink();
    LabHost& server = add_host(2);
    LabHost& client = add_host(3);
    for (const char* command : {"add table ip own",
                                "add chain ip own pre { type nat hook prerouting priority -100; }",
                                "add rule ip own pre tcp dport 8080 dnat to 10.99.0.2:80"}) {
        ASSERT_EQ(test::witness({"nft", command}), "");
    }
    const UniqueFd listener = test::bound_socket(&server.space, SOCK_STREAM, server.v4(), 80);
    EXPECT_EQ(test::connect_tcp(client.space, "192.0.2.1", 8080), 0);
    EXPECT_EQ(test::accept_from(listener.get()), "10.99.0.1");
    EXPECT_EQ(test::witness({"nft", "delete table ip own"}), "");
}

} // namespace
} // namespace lodge::network
