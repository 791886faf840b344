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

TEST(MacAddress, IsLocalUnicastAndOfTheUuid) {
    const auto uuid = Uuid::parse("00112233-4455-4677-8899-aabbccddeeff").value();
    EXPECT_EQ(mac_address_of(uuid), "02:bb:cc:dd:ee:ff");
}

} // namespace
} // namespace lodge::network
