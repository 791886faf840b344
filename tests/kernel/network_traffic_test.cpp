#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/network_lab.hpp"
#include "tests/support/patience.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

namespace lodge::network {
namespace {

using test::LabHost;

class TrafficTest : public test::NetworkLab {};

TEST_F(TrafficTest, LetsContainersTalkOverBothFamilies) {
    LabHost& one = add_host(2);
    LabHost& two = add_host(3);
    const UniqueFd v4 = test::bound_socket(&two.space, SOCK_STREAM, two.v4(), 80);
    EXPECT_EQ(test::connect_tcp(one.space, two.v4(), 80), 0);
    EXPECT_EQ(test::accept_from(v4.get()), one.v4());
    const UniqueFd v6 = test::bound_socket(&one.space, SOCK_STREAM, one.v6(), 80);
    EXPECT_EQ(test::connect_tcp(two.space, one.v6(), 80), 0);
    EXPECT_EQ(test::accept_from(v6.get()), two.v6());
}

TEST_F(TrafficTest, LetsContainersPingTheirGateways) {
    const LabHost& host = add_host(2);
    for (const char* gateway : {"10.99.0.1", "fd99::1"}) {
        const std::string said =
            test::witness_in(host.space, {"ping", "-c1", "-W5", "-n", gateway});
        EXPECT_NE(said.find("1 received"), std::string::npos) << said;
    }
}

TEST_F(TrafficTest, LetsTheHostReachItsContainers) {
    const LabHost& host = add_host(2);
    const UniqueFd v4 = test::bound_socket(&host.space, SOCK_DGRAM, host.v4(), 22);
    const UniqueFd v6 = test::bound_socket(&host.space, SOCK_DGRAM, host.v6(), 22);
    const UniqueFd from_v4 = test::bound_socket(nullptr, SOCK_DGRAM, "10.99.0.1", 4000);
    const UniqueFd from_v6 = test::bound_socket(nullptr, SOCK_DGRAM, "fd99::1", 4000);
    EXPECT_EQ(test::send_datagram(from_v4.get(), "hello", host.v4(), 22), 0);
    EXPECT_EQ(test::receive_datagram(v4.get()), "hello from 10.99.0.1");
    EXPECT_EQ(test::send_datagram(from_v6.get(), "hello", host.v6(), 22), 0);
    EXPECT_EQ(test::receive_datagram(v6.get()), "hello from fd99::1");
    EXPECT_EQ(test::send_datagram(v4.get(), "answer", "10.99.0.1", 4000), 0);
    EXPECT_EQ(test::receive_datagram(from_v4.get()), "answer from 10.99.0.2");
}

TEST_F(TrafficTest, MasqueradesTowardsTheUplinkOverBothFamilies) {
    const LabHost& host = add_host(2);
    const test::NetNamespace& uplink = add_uplink();
    const UniqueFd v4 = test::bound_socket(&uplink, SOCK_STREAM, "192.0.2.9", 80);
    EXPECT_EQ(test::connect_tcp(host.space, "192.0.2.9", 80), 0);
    EXPECT_EQ(test::accept_from(v4.get()), "192.0.2.1");
    const UniqueFd v6 = test::bound_socket(&uplink, SOCK_STREAM, "2001:db8::9", 80);
    EXPECT_EQ(test::connect_tcp(host.space, "2001:db8::9", 80), 0);
    EXPECT_EQ(test::accept_from(v6.get()), "2001:db8::1");
}

TEST_F(TrafficTest, LetsNothingNewInFromTheUplink) {
    const LabHost& host = add_host(2);
    const test::NetNamespace& uplink = add_uplink();
    const std::string rule = "new from outside, unless the operator maps a port";
    const UniqueFd inside = test::bound_socket(&host.space, SOCK_DGRAM, host.v4(), 5000);
    const UniqueFd stranger = test::bound_socket(&uplink, SOCK_DGRAM, "192.0.2.9", 6000);
    const UniqueFd partner = test::bound_socket(&uplink, SOCK_DGRAM, "192.0.2.9", 6001);
    EXPECT_EQ(test::send_datagram(inside.get(), "question", "192.0.2.9", 6001), 0);
    EXPECT_EQ(test::receive_datagram(partner.get()), "question from 192.0.2.1");

    EXPECT_EQ(test::send_datagram(stranger.get(), "intrusion", host.v4(), 5000), 0);
    EXPECT_EQ(test::send_datagram(partner.get(), "answer", "192.0.2.1", 5000), 0);
    EXPECT_EQ(test::receive_datagram(inside.get()), "answer from 192.0.2.9");
    EXPECT_EQ(counted("inet", rule), 1);

    ASSERT_TRUE(firewall_->remove_tables()); // the test can fail
    EXPECT_EQ(test::send_datagram(stranger.get(), "intrusion", host.v4(), 5000), 0);
    EXPECT_EQ(test::receive_datagram(inside.get()), "intrusion from 192.0.2.9");
}

TEST_F(TrafficTest, LetsInWhatTheOperatorMapsToAContainer) {
    const LabHost& host = add_host(2);
    const test::NetNamespace& uplink = add_uplink();
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"nft", "add table ip own"},
             {"nft", "add chain ip own pre { type nat hook prerouting priority -100; }"},
             {"nft", "add rule ip own pre tcp dport 8080 dnat to 10.99.0.2:80"}}) {
        ASSERT_EQ(test::witness(command), "");
    }
    const UniqueFd server = test::bound_socket(&host.space, SOCK_STREAM, host.v4(), 80);
    EXPECT_EQ(test::connect_tcp(uplink, "192.0.2.1", 8080), 0);
    EXPECT_EQ(test::accept_from(server.get()), "192.0.2.9");
    EXPECT_EQ(test::witness({"nft", "delete table ip own"}), "");
}

TEST_F(TrafficTest, KeepsContainersFromTheHostsServicesButTheNamedOnes) {
    const LabHost& host = add_host(2);
    add_uplink();
    bridge_.host_services = {{HostService::Transport::tcp, 53}};
    ASSERT_TRUE(firewall_->ensure_tables(bridge_));
    for (const char* address : {"10.99.0.1", "fd99::1", "192.0.2.1"}) {
        const UniqueFd named = test::bound_socket(nullptr, SOCK_STREAM, address, 53);
        const UniqueFd other = test::bound_socket(nullptr, SOCK_STREAM, address, 22);
        EXPECT_EQ(test::connect_tcp(host.space, address, 53), 0) << address;
        const int refused = test::connect_tcp(host.space, address, 22);
        EXPECT_TRUE(refused == EHOSTUNREACH || refused == EACCES) << address << ": " << refused;
    }
    EXPECT_GE(counted("inet", "other services of the host"), 3);
    ASSERT_TRUE(firewall_->remove_tables()); // the test can fail
    const UniqueFd other = test::bound_socket(nullptr, SOCK_STREAM, "10.99.0.1", 22);
    EXPECT_EQ(test::connect_tcp(host.space, "10.99.0.1", 22), 0);
}

TEST_F(TrafficTest, KeepsContainersFromTheMetadataServiceOfACloud) {
    const LabHost& host = add_host(2);
    const test::NetNamespace& uplink = add_uplink();
    for (const auto& [address, place] : {std::pair{"169.254.169.254", "169.254.0.0/16"},
                                         {"168.63.129.16", "168.63.129.16/32"},
                                         {"fd00:ec2::254", "fd00:ec2::254/128"}}) {
        const bool v4 = std::string_view(address).find(':') == std::string_view::npos;
        const std::string alone = std::string(address) + (v4 ? "/32" : "/128");
        std::vector<std::string> add{"ip", "addr", "add", alone, "dev", "up1"};
        if (!v4) {
            add.emplace_back("nodad");
        }
        ASSERT_EQ(test::witness_in(uplink, add), "");
        ASSERT_EQ(test::witness({"ip", "route", "add", alone, "dev", "up0"}), "");
        const UniqueFd metadata = test::bound_socket(&uplink, SOCK_DGRAM, address, 80);
        const UniqueFd names = test::bound_socket(&uplink, SOCK_DGRAM, address, 53);
        const UniqueFd inside =
            test::bound_socket(&host.space, SOCK_DGRAM, v4 ? host.v4() : host.v6(), 5000);
        const UniqueFd own =
            test::bound_socket(nullptr, SOCK_DGRAM, v4 ? "192.0.2.1" : "2001:db8::1", 5001);
        EXPECT_EQ(test::send_datagram(inside.get(), "token?", address, 80), 0);
        EXPECT_EQ(test::send_datagram(own.get(), "by the host", address, 80), 0);
        EXPECT_EQ(test::receive_datagram(metadata.get()).substr(0, 11), "by the host");
        EXPECT_EQ(counted("inet", std::string("metadata of clouds: ") + place), 1) << address;
        EXPECT_EQ(test::send_datagram(inside.get(), "a name", address, 53), 0);
        EXPECT_EQ(test::receive_datagram(names.get()).substr(0, 6), "a name") << "it answers DNS";
    }
}

// Neighbours remember the MAC address of a bridge that is made anew.
TEST_F(TrafficTest, GoesOnAfterTheBridgeWasTakenAway) {
    const LabHost& one = add_host(2);
    const LabHost& two = add_host(3);
    const auto all_reach = [&](const std::string& after) {
        for (const auto* to : {"10.99.0.1", "10.99.0.3", "fd99::1", "fd99::3"}) {
            // A link that comes up has its carrier up to a second later.
            const Deadline deadline = Deadline::after(test::patience(std::chrono::seconds(3)));
            std::string said;
            do {
                said = test::witness_in(one.space, {"ping", "-c1", "-W1", to});
            } while (said.find(" 0% packet loss") == std::string::npos && !deadline.expired());
            EXPECT_NE(said.find(" 0% packet loss"), std::string::npos)
                << "after " << after << ": " << to << said;
        }
    };
    all_reach("nothing");
    const std::vector<std::vector<std::string>> damages{
        {"ip", "link", "del", bridge_.name},
        {"ip", "addr", "flush", "dev", bridge_.name},
        {"ip", "link", "set", bridge_.name, "down"},
        {"ip", "addr", "del", "fd99::1/64", "dev", bridge_.name},
        {"ip", "link", "set", one.nic.host_name(), "nomaster"},
        {"ip", "link", "set", one.nic.host_name(), "down"},
        {"bridge", "link", "set", "dev", two.nic.host_name(), "learning", "on"},
        {"bridge", "fdb", "del", two.nic.mac_address, "dev", two.nic.host_name(), "master"},
    };
    for (const auto& damage : damages) {
        ASSERT_EQ(test::witness(damage), "") << damage[2];
        bool seen = !links_->bridge_fault(bridge_).value().empty();
        const auto damaged = links_->cards(bridge_.name).value();
        for (const FoundCard& card : damaged) {
            seen = seen || !card.fault.empty();
        }
        EXPECT_TRUE(seen) << damage[1] << " " << damage[2];
        ASSERT_TRUE(links_->ensure_bridge(bridge_));
        for (const LabHost& host : hosts_) {
            const Status put_back = links_->reattach(host.nic);
            ASSERT_TRUE(put_back) << put_back.error().to_string();
        }
        EXPECT_EQ(links_->bridge_fault(bridge_).value(), "");
        const auto mended = links_->cards(bridge_.name).value();
        for (const FoundCard& card : mended) {
            EXPECT_EQ(card.fault, "") << damage[2];
        }
        all_reach(damage[2] + " " + damage[3] + " " + damage.back());
    }
}

// Another container has the address, and with it another MAC address.
TEST_F(TrafficTest, ReachesAnAddressThatIsUsedAgainAtOnce) {
    const LabHost& neighbour = add_host(3);
    const auto reach = [&] {
        for (const auto* to : {"10.99.0.2", "fd99::2"}) {
            const std::vector<std::string> ping{"ping", "-c1", "-W1", to};
            for (const std::string& said :
                 {test::witness(ping), test::witness_in(neighbour.space, ping)}) {
                EXPECT_NE(said.find(" 0% packet loss"), std::string::npos) << to << said;
            }
        }
    };
    for (int round = 0; round < 2; ++round) {
        LabHost& host = add_host(2);
        reach();
        ASSERT_TRUE(links_->detach(host.nic.host_name()));
        ASSERT_TRUE(firewall_->expel(host.nic.host_name()));
    }
}

TEST_F(TrafficTest, SeesThatForwardingIsOffAndTurnsItOn) {
    for (const std::string& file : {std::string("/proc/sys/net/ipv4/ip_forward"),
                                    std::string("/proc/sys/net/ipv6/conf/all/forwarding"),
                                    "/proc/sys/net/ipv4/conf/" + bridge_.name + "/forwarding",
                                    "/proc/sys/net/ipv6/conf/" + bridge_.name + "/forwarding"}) {
        ASSERT_TRUE(links_->ensure_forwarding(bridge_.name));
        EXPECT_EQ(links_->forwarding_fault(bridge_.name).value(), "");
        ASSERT_TRUE(kernel::write_control(AT_FDCWD, file, "0"));
        EXPECT_NE(links_->forwarding_fault(bridge_.name).value(), "") << file;
    }
    ASSERT_TRUE(links_->ensure_forwarding(bridge_.name));
    EXPECT_EQ(links_->forwarding_fault(bridge_.name).value(), "");
}

TEST_F(TrafficTest, KeepsTheUplinksRouterAdvertisementsWhenForwarding) {
    test::NetNamespace space;
    const std::string links = "/proc/sys/net/ipv6/conf/";
    std::string accepted;
    Status status;
    space.run([&] {
        EXPECT_EQ(
            test::witness({"ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1"}), "");
        EXPECT_TRUE(kernel::write_control(AT_FDCWD, links + "up1/accept_ra", "0"));
        status = make_link_driver()->ensure_forwarding("lodge0"); // there is none
        for (const std::string& file : {links + "up0/accept_ra",
                                        links + "up1/accept_ra",
                                        links + "up0/forwarding",
                                        std::string("/proc/sys/net/ipv4/ip_forward")}) {
            accepted += kernel::read_file(file, 64).value();
        }
    });
    ASSERT_TRUE(status) << status.error().to_string();
    EXPECT_EQ(accepted, "2\n0\n1\n1\n");
}

} // namespace
} // namespace lodge::network
