#include "network/network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lodge::network {
namespace {

model::IpAddress ip(const char* text) {
    return model::IpAddress::parse(text).value();
}
model::CidrAddress cidr(const char* text) {
    return model::CidrAddress::parse(text).value();
}

TEST(AllocateAddress, LeavesOutNetworkGatewayBroadcastAndUsed) {
    std::vector<model::IpAddress> used;
    std::vector<std::string> given;
    while (const auto next = allocate_address(cidr("10.0.0.1/29"), ip("10.0.0.1"), used)) {
        given.push_back(next->to_string());
        used.insert(std::upper_bound(used.begin(), used.end(), *next), *next);
    }
    EXPECT_EQ(
        given,
        (std::vector<std::string>{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}));
    EXPECT_EQ(allocate_address(cidr("10.0.0.1/29"), ip("10.0.0.1"), used).error().code(),
              ErrorCode::resource_exhausted);
}

TEST(AllocateAddress, FillsHolesAndIgnoresOtherNetworks) {
    const std::vector<model::IpAddress> used{
        ip("9.9.9.9"), ip("10.0.0.2"), ip("10.0.0.4"), ip("fd00::2")};
    EXPECT_EQ(allocate_address(cidr("10.0.0.1/24"), ip("10.0.0.1"), used)->to_string(), "10.0.0.3");
    EXPECT_EQ(allocate_address(cidr("fd00::1/64"), ip("fd00::1"), used)->to_string(), "fd00::3");
}

// All that a pool gives, one after the other.
std::vector<std::string> all_of(const char* pool) {
    std::vector<model::IpAddress> used;
    std::vector<std::string> given;
    while (const auto next = allocate_address(cidr(pool), cidr(pool).address, used)) {
        EXPECT_TRUE(check_host_address(cidr(pool), *next)) << pool << " " << next->to_string();
        given.push_back(next->to_string());
        used.insert(std::upper_bound(used.begin(), used.end(), *next), *next);
    }
    return given;
}

TEST(AllocateAddress, GivesAllOfASmallNetworkAndNoMore) {
    using Given = std::vector<std::string>;
    EXPECT_EQ(all_of("10.0.0.1/30"), Given{"10.0.0.2"});
    EXPECT_EQ(all_of("10.0.0.0/31"), Given{"10.0.0.1"});
    EXPECT_EQ(all_of("10.0.0.1/31"), Given{"10.0.0.0"});
    EXPECT_EQ(all_of("10.0.0.1/32"), Given{});
    EXPECT_EQ(all_of("fd00::1/126"), (Given{"fd00::2", "fd00::3"}));
    EXPECT_EQ(all_of("fd00::1/127"), Given{"fd00::"});
    EXPECT_EQ(all_of("fd00::/127"), Given{"fd00::1"});
    EXPECT_EQ(all_of("fd00::1/128"), Given{});
}

// The address, its pool, and whether a host may have it.
TEST(HostAddress, IsNeitherTheNetworksOwnNorItsBroadcast) {
    struct Case {
        const char* address;
        const char* pool;
        bool usable;
    };
    for (const auto& [address, pool, usable] :
         {Case{"10.77.255.255", "10.77.0.1/16", false},
          Case{"10.77.0.0", "10.77.0.1/16", false},
          Case{"10.77.0.255", "10.77.0.1/16", true},
          Case{"10.77.1.0", "10.77.0.1/16", true},
          Case{"10.78.0.0", "10.77.0.1/16", false},
          Case{"fd00::2", "10.77.0.1/16", false},
          Case{"10.0.0.7", "10.0.0.1/29", false},
          Case{"10.0.0.6", "10.0.0.1/29", true},
          Case{"10.0.0.3", "10.0.0.1/30", false},
          Case{"10.0.0.0", "10.0.0.1/30", false},
          Case{"10.0.0.0", "10.0.0.1/31", true},
          Case{"10.0.0.1", "10.0.0.0/31", true},
          Case{"10.0.0.2", "10.0.0.1/31", false},
          Case{"255.255.255.255", "1.2.3.4/0", false},
          Case{"fd00::", "fd00::1/64", false},
          Case{"fd00::ffff:ffff:ffff:ffff", "fd00::1/64", true},
          Case{"fd00::", "fd00::1/126", false},
          Case{"fd00::3", "fd00::1/126", true},
          Case{"fd00::", "fd00::1/127", true},
          Case{"10.0.0.2", "fd00::1/64", false}}) {
        EXPECT_EQ(check_host_address(cidr(pool), ip(address)).has_value(), usable)
            << address << " in " << pool;
    }
}

TEST(MacAddress, IsLocalUnicastAndOfTheUuid) {
    const auto uuid = Uuid::parse("00112233-4455-4677-8899-aabbccddeeff").value();
    EXPECT_EQ(mac_address_of(uuid), "02:bb:cc:dd:ee:ff");
}

} // namespace
} // namespace lodge::network
