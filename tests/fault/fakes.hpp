#pragma once

#include "daemon/runtime/runtime.hpp"
#include "lib/cgroup/groups.hpp"
#include "lib/db/database.hpp"
#include "network/network.hpp"
#include "storage/key_provider.hpp"
#include "storage/volume.hpp"
#include "templates/template_store.hpp"
#include "tests/fault/world.hpp"

#include <memory>

namespace lodge::test {

// The drivers of the fake host. They check the preconditions of the contracts: they refuse to
// remove a group with processes, to close a volume in use, and to attach a card before it is
// admitted.

/// Volumes are directories with a lock: as with a real one, the death of its holder closes it.
[[nodiscard]] std::unique_ptr<storage::VolumeDriver> fake_volumes(World& world);
/// "loop UUID" is a device over that container's volume in `directory`.
[[nodiscard]] Result<std::vector<storage::BlockDevice>> fake_devices(World& world,
                                                                     const std::string& directory);
[[nodiscard]] std::unique_ptr<storage::KeyProvider> fake_keys(World& world);
[[nodiscard]] Result<secret::SecretBuffer> fake_host_key(World& world);
[[nodiscard]] std::unique_ptr<network::LinkDriver> fake_links(World& world);
[[nodiscard]] std::unique_ptr<network::FirewallDriver> fake_firewall(World& world);
[[nodiscard]] std::unique_ptr<cgroup::GroupManager> fake_groups(World& world);
[[nodiscard]] std::unique_ptr<templates::TemplateStore> fake_templates(World& world);
[[nodiscard]] std::unique_ptr<daemon::Runtime> fake_runtime(World& world);
/// The real database, each query and each transaction a call.
[[nodiscard]] std::unique_ptr<db::Database> faulty(World& world, db::Database& real);

/// Whether a process holds a volume of the fake driver open.
[[nodiscard]] bool is_held(const std::string& volume_directory);

} // namespace lodge::test
