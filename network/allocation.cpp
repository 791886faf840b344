#include "network/network.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lodge::network {

namespace {

// Host addresses that a pool has, at most so many that the search stays quick.
std::uint64_t hosts_of(const model::CidrAddress& pool) {
    const unsigned host_bits = pool.address.bits() - pool.prefix;
    constexpr unsigned kMostBits = 24;
    return std::uint64_t{1} << std::min(host_bits, kMostBits);
}

// The all-ones address of an IPv4 network of more than two.
bool is_broadcast(const model::CidrAddress& pool, std::uint64_t offset) {
    return pool.address.is_v4() && offset + 1 == std::uint64_t{1} << (32 - pool.prefix);
}

} // namespace

Result<model::IpAddress> allocate_address(const model::CidrAddress& pool,
                                          const model::IpAddress& gateway,
                                          const std::vector<model::IpAddress>& used) {
    const model::IpAddress network = pool.network();
    const std::uint64_t hosts = hosts_of(pool);
    auto next_used = std::lower_bound(used.begin(), used.end(), network);
    for (std::uint64_t offset = 1; offset < hosts; ++offset) {
        const model::IpAddress candidate = network.plus(offset);
        while (next_used != used.end() && *next_used < candidate) {
            ++next_used;
        }
        const bool taken = next_used != used.end() && *next_used == candidate;
        if (!taken && candidate != gateway && !is_broadcast(pool, offset)) {
            return candidate;
        }
    }
    return fail(ErrorCode::resource_exhausted,
                "no address is free in the pool " + pool.to_string());
}

std::string mac_address_of(const Uuid& container) {
    const auto& bytes = container.bytes();
    std::array<char, 18> text{};
    // 02: locally administered, unicast (IEEE 802). The last five bytes of a UUID are random.
    (void)std::snprintf(text.data(),
                        text.size(),
                        "02:%02x:%02x:%02x:%02x:%02x",
                        bytes[11],
                        bytes[12],
                        bytes[13],
                        bytes[14],
                        bytes[15]);
    return text.data();
}

} // namespace lodge::network
