#include "daemon/containers/resolvers.hpp"

#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace lodge::daemon {

namespace {

constexpr std::size_t kMostServers = 3; // MAXNS of resolv.h, and musl's
constexpr std::size_t kLongestFile = 65536;

// Files with the upstream servers of a local resolver.
constexpr std::array kFiles{"/etc/resolv.conf",
                            "/run/systemd/resolve/resolv.conf",
                            "/run/NetworkManager/no-stub-resolv.conf",
                            "/run/dnsmasq/resolv.conf"};

// The first word after `keyword` at the start of the line; empty without the keyword.
std::string_view value_of(std::string_view line, std::string_view keyword) {
    constexpr const char* kSpaces = " \t";
    if (line.substr(0, keyword.size()) != keyword) {
        return {};
    }
    line.remove_prefix(keyword.size());
    const std::size_t from = line.find_first_not_of(kSpaces);
    if (from == 0 || from == std::string_view::npos) {
        return {};
    }
    line.remove_prefix(from);
    return line.substr(0, line.find_first_of(" \t\r;#"));
}

// Whether an address means the same host here and in a container.
bool is_reachable_from_elsewhere(const model::IpAddress& address) {
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const auto& bytes = address.bytes();
    const auto is_own_host = [](std::uint8_t first) { return first == 127 || first == 0; };
    if (address.is_v4()) {
        return !is_own_host(bytes[0]);
    }
    if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) {
        return !is_own_host(bytes[kMapped.size()]);
    }
    const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    const bool unspecified_or_loopback =
        std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; }) &&
        bytes.back() <= 1;
    return !link_local && !unspecified_or_loopback;
}

} // namespace

std::vector<model::IpAddress> usable_nameservers(std::string_view text) {
    std::vector<model::IpAddress> servers;
    while (!text.empty() && servers.size() < kMostServers) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const auto server = model::IpAddress::parse(value_of(text.substr(0, end), "nameserver"));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (server && is_reachable_from_elsewhere(*server) &&
            std::find(servers.begin(), servers.end(), *server) == servers.end()) {
            servers.push_back(*server);
        }
    }
    return servers;
}

Resolvers resolvers_for(const Settings& settings,
                        const std::vector<model::CidrAddress>& addresses) {
    if (!settings.nameservers.empty()) {
        return {.servers = settings.nameservers, .source = "network.nameservers", .why_not = {}};
    }
    const auto has_route_to = [&](const model::IpAddress& server) {
        return std::any_of(addresses.begin(), addresses.end(), [&](const model::CidrAddress& own) {
            return own.address.family() == server.family();
        });
    };
    for (const char* file : kFiles) {
        const auto text = kernel::read_file(file, kLongestFile);
        Resolvers found{.servers = {}, .source = file, .why_not = {}};
        for (const model::IpAddress& server : usable_nameservers(text ? *text : std::string())) {
            if (has_route_to(server)) {
                found.servers.push_back(server.to_string());
            }
        }
        if (!found.servers.empty()) {
            return found;
        }
    }
    return {.servers = {},
            .source = {},
            .why_not = "no name server of the host's /etc/resolv.conf can be asked from a "
                       "container; set network.nameservers in the configuration"};
}

} // namespace lodge::daemon
