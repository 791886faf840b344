#pragma once

#include "daemon/operations/engine.hpp"
#include "daemon/records/record_parts.hpp"
#include "daemon/runtime/monitor_registry.hpp"
#include "daemon/runtime/runtime.hpp"
#include "daemon/settings.hpp"
#include "daemon/store/store.hpp"
#include "lib/cgroup/groups.hpp"
#include "lib/kernel/fuse.hpp"
#include "network/network.hpp"
#include "storage/encryptions.hpp"
#include "storage/key_provider.hpp"
#include "storage/volume.hpp"
#include "templates/template_store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace lodge::daemon {

/// The drivers and repositories of the verbs; none of them knows another. Borrowed: the daemon owns
/// them all and outlives every operation.
struct Parts {
    const Settings& settings;
    ContainerRepository& containers;
    TemplateRepository& templates;
    storage::Drivers& volumes;
    /// storage::list_devices().
    std::function<Result<std::vector<storage::BlockDevice>>(const std::string& directory)>
        block_devices;
    storage::KeyProvider& keys;
    std::function<Result<secret::SecretBuffer>()> host_key; ///< read_host_key()
    network::LinkDriver& links;
    network::FirewallDriver& firewall;
    cgroup::GroupManager& groups;
    templates::TemplateStore& store;
    Runtime& runtime;
    MonitorRegistry& monitors;
    EventBus& events;
    LogFunction warn;
    std::string boot_id;
    /// Breaks the FUSE connections of a container's ids and returns their number.
    std::function<Result<unsigned>(std::uint32_t first, std::uint32_t count)> break_fuse =
        kernel::abort_fuse_connections;

    /// As much of them as records need.
    operator RecordParts() const { // NOLINT(google-explicit-constructor): a part of the whole
        return {.settings = settings,
                .containers = containers,
                .templates = templates,
                .host_key = host_key,
                .store = store,
                .warn = warn};
    }
    [[nodiscard]] storage::Volume volume_of(const model::Container& container,
                                            const model::Disk& disk) const;
    [[nodiscard]] storage::VolumeDriver& driver_of(const model::Container& container) const;
    [[nodiscard]] network::Nic nic_of(const model::Card& card) const;
    /// invalid_state when an address of the container is outside all pools.
    [[nodiscard]] Status check_addresses(const model::Container& container) const;
    /// The volume's key, unsealed.
    [[nodiscard]] Result<secret::SecretBuffer> key_of(const model::Container& container,
                                                      const model::Disk& disk) const;
    /// The directory below the volume's root with the container's own files.
    [[nodiscard]] static std::string tree_of(const model::Container& container);
    /// Name of the container's cgroup.
    [[nodiscard]] static std::string group_of(const model::Container& container);
    void announce(const model::Container& container,
                  const std::string& what,
                  const std::string& detail = {}) const;
};

} // namespace lodge::daemon
