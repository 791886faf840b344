#pragma once

#include "lib/model/address.hpp"
#include "network/network.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lodge::daemon {

/// The values of the configuration. Every member has a working default.
struct Settings {
    std::string state_directory = "/var/lib/lodge";
    std::string run_directory = "/run/lodge";
    std::string socket_path;  ///< empty: RUN/lodged.sock
    std::string socket_group; ///< may use the socket besides root; empty: none
    std::vector<std::string> definitions_directories; ///< the operator's, then the shipped one
    std::string monitor_program;
    std::string unpack_program;
    std::string cgroup_base;         ///< empty: automatic, see lib/cgroup
    std::string encryption = "auto"; ///< auto: luks2, else fscrypt; never none
    bool limits_best_effort = false; ///< warn about a limit that cannot be enforced
    std::string bridge = "lodge0";
    std::vector<model::CidrAddress> pools; ///< the bridge's own addresses; containers get others
    std::vector<std::string> nameservers;  ///< empty: the host's own, see resolvers.hpp
    std::vector<network::HostService> host_services = network::BridgeSpec{}.host_services;
    std::uint32_t most_connections = network::BridgeSpec{}.most_connections;
    std::uint32_t first_uid = 0x40000000; ///< start of the ranges, a multiple of 65,536
    std::uint32_t uid_ranges = 8192;
    std::chrono::milliseconds stop_timeout{60'000};
    std::uint32_t autostart_at_once = 4; ///< starts that run at the same time
    unsigned database_copies = 7;        ///< daily copies that are kept; 0: none
    std::uint64_t most_unpacked_bytes = std::uint64_t{16} << 30;

    bool operator==(const Settings&) const = default;
    [[nodiscard]] std::string containers_directory() const {
        return state_directory + "/containers";
    }
    [[nodiscard]] std::string container_directory(const std::string& uuid) const {
        return containers_directory() + "/" + uuid;
    }
    /// The directory of a volume. The root volume of a new container has the container's UUID, so
    /// that its image lies beside the container's record and one directory holds the whole
    /// container.
    [[nodiscard]] std::string volume_directory(const Uuid& volume) const {
        return containers_directory() + "/" + volume.to_string();
    }
    [[nodiscard]] std::string database_path() const { return state_directory + "/lodge.db"; }
    [[nodiscard]] std::string backups_directory() const { return state_directory + "/backups"; }
    [[nodiscard]] std::string master_key_path() const { return state_directory + "/master.key"; }
    [[nodiscard]] std::string host_key_path() const { return state_directory + "/host.key"; }
    [[nodiscard]] std::string templates_directory() const { return state_directory + "/templates"; }
    [[nodiscard]] std::string template_mounts() const { return run_directory + "/templates"; }
    [[nodiscard]] network::BridgeSpec bridge_spec() const {
        return {.name = bridge,
                .owner = state_directory,
                .addresses = pools,
                .host_services = host_services,
                .most_connections = most_connections};
    }
    [[nodiscard]] std::string socket() const {
        return socket_path.empty() ? run_directory + "/lodged.sock" : socket_path;
    }
};

} // namespace lodge::daemon
