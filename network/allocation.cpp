#include "network/network.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lodge::network {

namespace {

// Addresses of a pool, at most so many that the search stays quick.
std::uint64_t addresses_of(const model::CidrAddress& pool) {
    const unsigned host_bits = pool.address.bits() - pool.prefix;
    constexpr unsigned kMostBits = 24;
    return std::uint64_t{1} << std::min(host_bits, kMostBits);
}

// A network of one or two has neither an address of its own nor a broadcast (RFC 3021, RFC 6164).
bool has_reserved(const model::CidrAddress& pool) {
    return pool.address.bits() - pool.prefix >= 2;
}

// The all-ones address; IPv6 has no broadcast.
bool is_broadcast(const model::CidrAddress& pool, const model::IpAddress& address) {
    if (!pool.address.is_v4()) {
        return false;
    }
    const std::uint64_t last = (std::uint64_t{1} << (32 - pool.prefix)) - 1;
    return address == pool.network().plus(last);
}

} // namespace

Status check_host_address(const model::CidrAddress& pool, const model::IpAddress& address) {
    const auto refuse = [&](const std::string& why) {
        return fail(ErrorCode::invalid_argument,
                    "the address " + address.to_string() + " is " + why + " " + pool.to_string());
    };
    if (!pool.contains(address)) {
        return refuse("not in");
    }
    if (has_reserved(pool) && address == pool.network()) {
        return refuse(pool.address.is_v4() ? "the network's own of"
                                           : "the routers' anycast address of");
    }
    if (has_reserved(pool) && is_broadcast(pool, address)) {
        return refuse("the broadcast address of");
    }
    return {};
}

Result<model::IpAddress> allocate_address(const model::CidrAddress& pool,
                                          const model::IpAddress& gateway,
                                          const std::vector<model::IpAddress>& used) {
    const model::IpAddress network = pool.network();
    const std::uint64_t addresses = addresses_of(pool);
    auto next_used = std::lower_bound(used.begin(), used.end(), network);
    for (std::uint64_t offset = has_reserved(pool) ? 1 : 0; offset < addresses; ++offset) {
        const model::IpAddress candidate = network.plus(offset);
        while (next_used != used.end() && *next_used < candidate) {
            ++next_used;
        }
        const bool taken = next_used != used.end() && *next_used == candidate;
        if (!taken && candidate != gateway && check_host_address(pool, candidate)) {
            return candidate;
        }
    }
    return fail(ErrorCode::resource_exhausted,
                "no address is free in the pool " + pool.to_string());
}

std::string mac_address_of(const Uuid& card) {
    const auto& bytes = card.bytes();
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
