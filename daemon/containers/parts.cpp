#include "daemon/containers/parts.hpp"

#include "daemon/records/key_context.hpp"

#include <algorithm>

namespace lodge::daemon {

storage::Volume Parts::volume_of(const model::Container& container, const model::Disk& disk) const {
    return {.uuid = disk.uuid,
            .directory = settings.volume_directory(disk.uuid),
            .bytes = container.spec.disk_bytes,
            .encryption = *container.spec.encryption};
}

storage::VolumeDriver& Parts::driver_of(const model::Container& container) const {
    return *volumes.at(*container.spec.encryption);
}

network::Nic Parts::nic_of(const model::Card& card) const {
    network::Nic nic{.uuid = card.uuid,
                     .bridge = settings.bridge,
                     .mac_address = card.mac_address,
                     .addresses = card.addresses,
                     .name = card.name()};
    // Only gateways of its own networks: it has no route to a pool that was added later.
    for (const model::CidrAddress& pool : settings.pools) {
        if (std::any_of(card.addresses.begin(), card.addresses.end(), [&](const auto& own) {
                return pool.contains(own.address);
            })) {
            nic.gateways.push_back(pool.address);
        }
    }
    return nic;
}

Status Parts::check_addresses(const model::Container& container) const {
    for (const model::CidrAddress& own : container.addresses()) {
        if (std::none_of(settings.pools.begin(), settings.pools.end(), [&](const auto& pool) {
                return pool.contains(own.address);
            })) {
            return fail(
                ErrorCode::invalid_state,
                "the address " + own.to_string() + " of '" + container.spec.name +
                    "' is in none of this host's pools; give network.pools one that has it");
        }
    }
    return {};
}

Result<secret::SecretBuffer> Parts::key_of(const model::Container& container,
                                           const model::Disk& disk) const {
    ASSIGN_OR_RETURN(const std::string sealed, containers.sealed_key(disk.uuid));
    return with_context(keys.unwrap(key_context_of(container, disk), sealed),
                        "unwrap the volume's key");
}

std::string Parts::tree_of(const model::Container& container) {
    const bool shared = container.spec.rootfs == model::Rootfs::shared;
    return std::string(storage::kDataDirectory) + "/" +
           (shared ? storage::kUpperDirectory : storage::kRootDirectory);
}

std::string Parts::group_of(const model::Container& container) {
    return model::group_name(container.uuid);
}

void Parts::announce(const model::Container& container,
                     const std::string& what,
                     const std::string& detail) const {
    events.publish(
        {.kind = "container", .resource = container.spec.name, .what = what, .detail = detail});
}

} // namespace lodge::daemon
