#include "tests/support/network_lab.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <thread>
#include <vector>

namespace lodge::network {
namespace {

using nlohmann::json;

json ruleset() {
    return json::parse(test::witness({"nft", "-j", "list", "ruleset"}), nullptr, false);
}

std::size_t objects(const json& listing, const std::string& kind) {
    std::size_t found = 0;
    for (const json& entry : listing["nftables"]) {
        if (entry.contains(kind)) {
            ++found;
        }
    }
    return found;
}

std::size_t elements(const json& listing, const std::string& set) {
    for (const json& entry : listing["nftables"]) {
        if (entry.contains("set") && entry["set"]["name"] == set) {
            return entry["set"].contains("elem") ? entry["set"]["elem"].size() : 0;
        }
    }
    return 0;
}

class FirewallTest : public test::NetworkLab {
  protected:
    Nic admit(int number) {
        Nic nic = make_nic(number);
        const Status status = firewall_->admit(nic);
        EXPECT_TRUE(status) << status.error().to_string();
        return nic;
    }
};

TEST_F(FirewallTest, KeepsTheNumberOfRulesConstant) {
    admit(2);
    const json one = ruleset();
    for (int number = 3; number < 202; ++number) {
        admit(number);
    }
    const json many = ruleset();
    EXPECT_GT(objects(one, "rule"), 10U);
    EXPECT_EQ(objects(many, "rule"), objects(one, "rule"));
    EXPECT_EQ(objects(many, "chain"), objects(one, "chain"));
    EXPECT_EQ(elements(many, "ports"), 200U);
    EXPECT_EQ(elements(many, "macs"), 200U);
    EXPECT_EQ(elements(many, "v4"), 200U);
    EXPECT_EQ(elements(many, "v6"), 400U) << "each has a link-local one too";
    EXPECT_EQ(firewall_->admitted().value().size(), 200U);
}

TEST_F(FirewallTest, EnsuresTwiceWithoutAChange) {
    admit(2);
    const json before = ruleset(); // with the handles: nothing was even made anew
    ASSERT_TRUE(firewall_->ensure_tables(bridge_));
    EXPECT_EQ(ruleset(), before);
    ASSERT_TRUE(make_firewall_driver()->ensure_tables(bridge_)) << "by a restarted daemon";
    EXPECT_EQ(ruleset(), before);
}

TEST_F(FirewallTest, ForgetsACardThatWasExpelled) {
    const std::string before = test::witness({"nft", "-s", "list", "ruleset"});
    const Nic nic = admit(2);
    ASSERT_NE(test::witness({"nft", "-s", "list", "ruleset"}), before);
    ASSERT_TRUE(firewall_->expel(nic.host_name()));
    ASSERT_TRUE(firewall_->expel(nic.host_name())) << "again";
    EXPECT_EQ(test::witness({"nft", "-s", "list", "ruleset"}), before);
    EXPECT_TRUE(firewall_->admitted().value().empty());
}

TEST_F(FirewallTest, AdmitsAnewWithOtherAddresses) {
    Nic nic = admit(2);
    nic.addresses = {model::CidrAddress::parse("10.99.0.7/24").value()};
    nic.mac_address = "02:00:00:00:00:07";
    ASSERT_TRUE(firewall_->admit(nic));
    ASSERT_TRUE(firewall_->admit(nic)) << "again";
    const std::string rules = test::witness({"nft", "list", "ruleset"});
    EXPECT_NE(rules.find("10.99.0.7"), std::string::npos);
    EXPECT_EQ(rules.find("10.99.0.2"), std::string::npos) << rules;
    EXPECT_EQ(rules.find("fd99::2"), std::string::npos) << rules;
}

TEST_F(FirewallTest, RefusesWhatIsNoMacAddressOfACard) {
    Nic nic = make_nic(2);
    for (const char* mac : {"",
                            "02:00",
                            "02:00:00:00:00:0g",
                            "020000000001",
                            "02:00:00:00:00:01:",
                            "03:00:00:00:00:01",
                            "0:00:00:00:00:01",
                            "02:00:00:00:00:0"}) {
        nic.mac_address = mac;
        const Status status = firewall_->admit(nic);
        ASSERT_FALSE(status) << mac;
        EXPECT_EQ(status.error().code(), ErrorCode::invalid_argument) << mac;
    }
    EXPECT_TRUE(firewall_->admitted().value().empty());
}

TEST_F(FirewallTest, KnowsAfterARestartWhatWasAdmittedBefore) {
    const Nic nic = admit(2);
    const auto restarted = make_firewall_driver();
    EXPECT_EQ(restarted->admitted().value(), std::vector<std::string>{nic.host_name()});
    ASSERT_TRUE(restarted->ensure_tables(bridge_));
    ASSERT_TRUE(restarted->expel(nic.host_name()));
    EXPECT_TRUE(restarted->admitted().value().empty());
}

TEST_F(FirewallTest, PutsBackWhatSomebodyElseChanged) {
    const Nic nic = admit(2);
    const std::string whole = test::witness({"nft", "-s", "list", "ruleset"});
    for (const char* damage : {"flush chain bridge lodge from-container",
                               "insert rule bridge lodge prerouting accept",
                               "delete table inet lodge",
                               "delete table bridge lodge",
                               "flush chain inet lodge postrouting",
                               "flush set inet lodge host-services",
                               "add table inet lodge { flags dormant; }"}) {
        ASSERT_EQ(test::witness({"nft", damage}), "");
        EXPECT_NE(firewall_->tables_fault(bridge_).value(), "") << damage;
        ASSERT_NE(test::witness({"nft", "-s", "list", "ruleset"}), whole) << damage;
        ASSERT_TRUE(firewall_->ensure_tables(bridge_)) << damage;
        EXPECT_EQ(firewall_->tables_fault(bridge_).value(), "") << damage;
        EXPECT_EQ(firewall_->admitted().value(), std::vector<std::string>{nic.host_name()});
        EXPECT_EQ(elements(ruleset(), "v6"), 2U) << damage;
    }
}

TEST_F(FirewallTest, ExpelsACardThatSomebodyElseAdmitted) {
    const Nic nic = admit(2);
    ASSERT_EQ(test::witness({"nft", "add element bridge lodge ports { ve-old }"}), "");
    EXPECT_EQ(elements(ruleset(), "ports"), 2U);
    ASSERT_TRUE(firewall_->expel("ve-old"));
    EXPECT_EQ(elements(ruleset(), "ports"), 1U);
    EXPECT_EQ(firewall_->admitted().value(), std::vector<std::string>{nic.host_name()});
}

TEST_F(FirewallTest, BringsAllBackAfterAFlushedRuleset) {
    const Nic first = admit(2);
    const Nic second = admit(3);
    const std::string whole = test::witness({"nft", "-s", "list", "ruleset"});
    ASSERT_EQ(test::witness({"nft", "flush ruleset"}), "");
    ASSERT_TRUE(firewall_->admit(second));
    const json restored = ruleset();
    EXPECT_EQ(elements(restored, "ports"), 2U);
    EXPECT_EQ(elements(restored, "v6"), 4U);
    ASSERT_EQ(test::witness({"nft", "flush ruleset"}), "");
    ASSERT_TRUE(firewall_->expel(second.host_name()));
    EXPECT_EQ(firewall_->admitted().value(), std::vector<std::string>{first.host_name()});
}

// Any change of a table makes the next admit look; each part that is missing comes back.
TEST_F(FirewallTest, PutsBackAPartWithTheNextCard) {
    const Nic nic = admit(2);
    const std::string whole = test::witness({"nft", "-s", "list", "ruleset"});
    for (const char* damage : {"flush chain inet lodge forward",
                               "delete table inet lodge",
                               "flush set bridge lodge ports",
                               "flush set bridge lodge v6"}) {
        ASSERT_EQ(test::witness({"nft", damage}), "");
        ASSERT_TRUE(firewall_->admit(nic)) << damage;
        EXPECT_EQ(test::witness({"nft", "-s", "list", "ruleset"}), whole) << damage;
    }
}

TEST_F(FirewallTest, FollowsAChangeOfTheBridgesNetworksAndKeepsTheElements) {
    admit(2);
    bridge_.addresses = {model::CidrAddress::parse("10.98.0.1/24").value()};
    ASSERT_TRUE(firewall_->ensure_tables(bridge_));
    const std::string rules = test::witness({"nft", "list", "table", "inet", "lodge"});
    EXPECT_NE(rules.find("10.98.0.0/24"), std::string::npos) << rules;
    EXPECT_EQ(rules.find("10.99.0.0/24"), std::string::npos) << rules;
    EXPECT_EQ(elements(ruleset(), "ports"), 1U);
}

TEST_F(FirewallTest, DropsTheElementsOfALayoutItDoesNotKnow) {
    admit(2);
    ASSERT_EQ(test::witness({"nft", "delete table bridge lodge"}), "");
    ASSERT_EQ(test::witness(
                  {"nft", "add table bridge lodge { comment \"made by lodged, layout 1 0\"; }"}),
              "");
    ASSERT_EQ(test::witness({"nft", "add set bridge lodge ports { typeof meta iifname; }"}), "");
    ASSERT_EQ(test::witness({"nft", "add element bridge lodge ports { ve-old }"}), "");
    ASSERT_TRUE(make_firewall_driver()->ensure_tables(bridge_));
    EXPECT_TRUE(firewall_->admitted().value().empty());
}

TEST_F(FirewallTest, TouchesNoOtherTable) {
    ASSERT_EQ(test::witness({"nft", "add table inet own { comment \"the operator's\"; }"}), "");
    ASSERT_TRUE(firewall_->ensure_tables(bridge_));
    ASSERT_TRUE(firewall_->remove_tables());
    ASSERT_TRUE(firewall_->remove_tables()) << "again";
    const json left = ruleset();
    EXPECT_EQ(objects(left, "table"), 1U) << left;
    EXPECT_EQ(test::witness({"nft", "delete table inet own"}), "");
}

TEST_F(FirewallTest, SurvivesManyThreads) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int round = 0; round < 20; ++round) {
                const Nic nic = admit(10 + thread);
                EXPECT_TRUE(firewall_->expel(nic.host_name()));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(firewall_->admitted().value().empty());
}

} // namespace
} // namespace lodge::network
