#include "tests/support/network_lab.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::network {
namespace {

using nlohmann::json;

// What `ip -j` or `bridge -j` tells, with the empty objects that they print for what a filter left
// out taken away.
json told_by(const std::vector<std::string>& command) {
    json all = json::parse(test::witness(command), nullptr, false);
    json told = json::array();
    for (const json& entry : all) {
        if (!entry.empty()) {
            told.push_back(entry);
        }
    }
    return told;
}

std::vector<std::string> addresses_of(const json& links) {
    std::vector<std::string> found;
    for (const json& link : links) {
        for (const json& info : link["addr_info"]) {
            found.push_back(info["local"].get<std::string>() + "/" +
                            std::to_string(info["prefixlen"].get<int>()));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

class LinksTest : public test::NetworkLab {
  protected:
    std::vector<std::string> cards() {
        std::vector<std::string> names;
        const auto found = links_->cards(bridge_.name).value();
        for (const FoundCard& card : found) {
            names.push_back(card.name);
        }
        return names;
    }
};

TEST_F(LinksTest, GivesTheCardItsNameAddressesAndRoutes) {
    const test::LabHost& host = add_host(2);
    json links;
    std::string routes;
    host.space.run([&] {
        links = told_by({"ip", "-j", "addr"});
        routes = test::witness({"ip", "route"}) + test::witness({"ip", "-6", "route"});
    });
    ASSERT_EQ(links.size(), 2U) << links;
    EXPECT_EQ(links[0]["ifname"], "lo");
    EXPECT_NE(links[0]["flags"].dump().find("\"UP\""), std::string::npos);
    EXPECT_EQ(links[1]["ifname"], "eth0");
    EXPECT_EQ(links[1]["address"], host.nic.mac_address);
    EXPECT_EQ(links[1]["mtu"], 1500);
    const auto addresses = addresses_of(json::array({links[1]}));
    EXPECT_EQ(std::count(addresses.begin(), addresses.end(), "10.99.0.2/24"), 1);
    EXPECT_EQ(std::count(addresses.begin(), addresses.end(), "fd99::2/64"), 1);
    EXPECT_EQ(links[1].dump().find("tentative\":true,\"local\":\"fd99"), std::string::npos)
        << links;
    EXPECT_NE(routes.find("default via 10.99.0.1 dev eth0"), std::string::npos) << routes;
    EXPECT_NE(routes.find("default via fd99::1 dev eth0"), std::string::npos) << routes;
}

TEST_F(LinksTest, MakesTheHostsEndAPortThatNeitherLearnsNorFloods) {
    const test::LabHost& host = add_host(2);
    const json port = told_by({"ip", "-j", "-d", "link", "show", host.nic.host_name()}).at(0);
    EXPECT_EQ(port["master"], bridge_.name);
    const json options = port["linkinfo"]["info_slave_data"];
    EXPECT_EQ(options["state"], "forwarding");
    EXPECT_EQ(options["learning"], false);
    EXPECT_EQ(options["flood"], false);
    EXPECT_EQ(options["hairpin"], false);
    EXPECT_EQ(options["mcast_flood"], true);
    EXPECT_EQ(options["bcast_flood"], true);
    EXPECT_EQ(port["inet6_addr_gen_mode"], "none");
    EXPECT_EQ(addresses_of(told_by({"ip", "-j", "addr", "show", host.nic.host_name()})),
              std::vector<std::string>{});
    const std::string known = test::witness({"bridge", "fdb", "show", "dev", host.nic.host_name()});
    EXPECT_NE(known.find(host.nic.mac_address + " master " + bridge_.name + " static"),
              std::string::npos)
        << known;
}

TEST_F(LinksTest, MakesABridgeThatKeepsItsAddressesAndItsMac) {
    const auto bridge_now = [&] {
        return told_by({"ip", "-j", "-d", "addr", "show", bridge_.name}).at(0);
    };
    const json before = bridge_now();
    EXPECT_EQ(before["linkinfo"]["info_data"]["stp_state"], 0);
    EXPECT_EQ(before["linkinfo"]["info_data"]["forward_delay"], 0);
    EXPECT_EQ(before["linkinfo"]["info_data"]["mcast_snooping"], 0);
    add_host(2);
    add_host(3);
    ASSERT_TRUE(links_->detach(hosts_[0].nic.host_name()));
    const json after = bridge_now();
    EXPECT_EQ(after["address"], before["address"]);
    const auto addresses = addresses_of(json::array({after}));
    EXPECT_EQ(std::count(addresses.begin(), addresses.end(), "10.99.0.1/24"), 1);
    EXPECT_EQ(std::count(addresses.begin(), addresses.end(), "fd99::1/64"), 1);
    EXPECT_EQ(after.dump().find("\"tentative\":true"), std::string::npos) << after;
}

TEST_F(LinksTest, EnsuresTheBridgeTwiceWithoutAChange) {
    add_host(2);
    const auto state = [&] {
        json link = told_by({"ip", "-j", "-d", "addr", "show", bridge_.name}).at(0);
        for (json& info : link["addr_info"]) {
            info.erase("valid_life_time");
            info.erase("preferred_life_time");
            info.erase("tentative"); // for a moment, though nothing probes it
        }
        link["linkinfo"]["info_data"].erase("gc_timer"); // ticks
        return link;
    };
    const json before = state();
    ASSERT_TRUE(links_->ensure_bridge(bridge_));
    EXPECT_EQ(state(), before);
}

TEST_F(LinksTest, ReplacesTheAddressesOfABridgeOfItsOwn) {
    bridge_.addresses = {model::CidrAddress::parse("10.98.0.1/24").value()};
    ASSERT_TRUE(links_->ensure_bridge(bridge_));
    auto addresses = addresses_of(told_by({"ip", "-j", "addr", "show", bridge_.name}));
    std::erase_if(addresses, [](const std::string& text) { return text.starts_with("fe80"); });
    EXPECT_EQ(addresses, std::vector<std::string>{"10.98.0.1/24"});
}

TEST_F(LinksTest, RefusesABridgeNameThatAnotherLinkHas) {
    const auto taken = links_->ensure_bridge({.name = "lo"});
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), ErrorCode::already_exists);
    EXPECT_NE(taken.error().message().find("is not a bridge"), std::string::npos);
    for (const char* name : {"a-name-of-16-char", "", "a b", "a/b", ".."}) {
        const auto unusable = links_->ensure_bridge({.name = name});
        ASSERT_FALSE(unusable) << name;
        EXPECT_EQ(unusable.error().code(), ErrorCode::invalid_argument) << name;
    }
}

TEST_F(LinksTest, LeavesAnOperatorsOwnBridgeAlone) {
    ASSERT_EQ(test::witness({"ip", "link", "add", "br-own", "type", "bridge"}), "");
    ASSERT_EQ(test::witness({"ip", "addr", "add", "198.51.100.1/24", "dev", "br-own"}), "");
    const auto taken = links_->ensure_bridge({.name = "br-own", .addresses = {}});
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), ErrorCode::already_exists);
    EXPECT_FALSE(links_->remove_bridge("br-own"));
    EXPECT_EQ(addresses_of(told_by({"ip", "-j", "addr", "show", "br-own"})),
              std::vector<std::string>{"198.51.100.1/24"});
    EXPECT_EQ(test::witness({"ip", "link", "del", "br-own"}), "");
}

TEST_F(LinksTest, RefusesANetworkThatTheHostHasElsewhere) {
    ASSERT_EQ(test::witness({"ip", "link", "add", "lan0", "type", "bridge"}), "");
    ASSERT_EQ(test::witness({"ip", "addr", "add", "10.97.5.5/16", "dev", "lan0"}), "");
    const auto overlapping = links_->ensure_bridge(
        {.name = "lodge-t1", .addresses = {model::CidrAddress::parse("10.97.0.1/24").value()}});
    ASSERT_FALSE(overlapping);
    EXPECT_EQ(overlapping.error().code(), ErrorCode::already_exists);
    EXPECT_NE(overlapping.error().message().find("10.97.5.5/16 of the link 'lan0'"),
              std::string::npos)
        << overlapping.error().to_string();
    EXPECT_EQ(test::witness({"ip", "-o", "link"}).find("lodge-t1"), std::string::npos)
        << "made although refused";
    EXPECT_EQ(test::witness({"ip", "link", "del", "lan0"}), "");
}

TEST_F(LinksTest, LeavesNothingOfACardThatCannotBeMadeWhole) {
    test::NetNamespace space;
    Nic no_bridge = make_nic(2);
    no_bridge.bridge = "no-such-bridge";
    const auto missing = links_->attach(no_bridge, InNamespace{space.fd()});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ErrorCode::kernel);
    Nic bad_mac = make_nic(2);
    bad_mac.mac_address = "02:zz";
    EXPECT_FALSE(links_->attach(bad_mac, InNamespace{space.fd()}));
    // The gateway is not on the card's network: the last step fails.
    Nic no_way = make_nic(2);
    no_way.gateways = {model::IpAddress::parse("192.0.2.77").value()};
    EXPECT_FALSE(links_->attach(no_way, InNamespace{space.fd()}));
    const UniqueFd no_namespace(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_FALSE(links_->attach(make_nic(2), InNamespace{no_namespace.get()}));
    EXPECT_TRUE(cards().empty());
    EXPECT_EQ(test::witness_in(space, {"ip", "-o", "link", "show", "dev", "eth0"}).find("failed"),
              0U);
}

TEST_F(LinksTest, ReplacesACardThatAnEarlierStartLeft) {
    const test::LabHost& host = add_host(2);
    test::NetNamespace second;
    ASSERT_TRUE(links_->attach(host.nic, InNamespace{second.fd()}));
    EXPECT_EQ(cards(), std::vector<std::string>{host.nic.host_name()});
    EXPECT_NE(test::witness_in(second, {"ip", "addr", "show", "eth0"}).find("10.99.0.2/24"),
              std::string::npos);
}

TEST_F(LinksTest, DetachesTwiceAndListsWhatIsLeft) {
    add_host(2);
    add_host(3);
    std::vector<std::string> names{hosts_[0].nic.host_name(), hosts_[1].nic.host_name()};
    auto listed = cards();
    std::sort(listed.begin(), listed.end());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(listed, names);
    ASSERT_TRUE(links_->detach(names[0]));
    ASSERT_TRUE(links_->detach(names[0])) << "again";
    EXPECT_EQ(cards(), std::vector<std::string>{names[1]});
}

// A daemon with settings of its own, while the first is down and its containers run.
TEST_F(LinksTest, RefusesABridgeBesideThatOfAnotherOwner) {
    bridge_.owner = "/var/lib/first";
    ASSERT_TRUE(links_->ensure_bridge(bridge_));
    const BridgeSpec other{.name = "lodge-t1", .owner = "/var/lib/second"};
    BridgeSpec same = bridge_;
    same.owner = other.owner;
    add_host(2);
    for (const BridgeSpec& spec : {other, same}) {
        const Status refused = make_link_driver()->ensure_bridge(spec);
        ASSERT_FALSE(refused) << spec.name;
        EXPECT_EQ(refused.error().code(), ErrorCode::already_exists);
        EXPECT_NE(refused.error().message().find("/var/lib/first"), std::string::npos)
            << refused.error().to_string();
    }
    EXPECT_EQ(test::witness({"ip", "-o", "link", "show", "type", "bridge"}).find(other.name),
              std::string::npos);
    ASSERT_TRUE(links_->ensure_bridge(bridge_)) << "its own";
    ASSERT_TRUE(links_->detach(hosts_[0].nic.host_name()));
    ASSERT_TRUE(links_->ensure_bridge(same)) << "nothing runs there any more";
}

TEST_F(LinksTest, GivesANetworkNamespaceToOneAtATime) {
    auto claim = claim_network();
    ASSERT_TRUE(claim) << claim.error().to_string();
    const auto second = claim_network();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::busy);
    const test::NetNamespace elsewhere;
    elsewhere.run([] { EXPECT_TRUE(claim_network()); });
    claim->reset();
    EXPECT_TRUE(claim_network());
}

TEST_F(LinksTest, SaysWhichPrivilegeIsMissing) {
    Status links;
    Status firewall;
    std::thread([&] { // capabilities are per thread
        __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
        __user_cap_data_struct data[2]{};
        if (::syscall(SYS_capset, &header, &data) == 0) {
            links = links_->ensure_bridge({.name = "lodge-t1"});
            firewall = firewall_->expel("ve-000000000000");
            firewall = make_firewall_driver()->ensure_tables(bridge_);
        }
    })
        .join();
    ASSERT_FALSE(links);
    EXPECT_EQ(links.error().code(), ErrorCode::kernel);
    EXPECT_NE(links.error().message().find("CAP_NET_ADMIN"), std::string::npos)
        << links.error().to_string();
    ASSERT_FALSE(firewall);
    EXPECT_EQ(firewall.error().code(), ErrorCode::kernel);
    EXPECT_NE(firewall.error().message().find("CAP_NET_ADMIN"), std::string::npos)
        << firewall.error().to_string();
}

} // namespace
} // namespace lodge::network
