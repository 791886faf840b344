#pragma once

#include "daemon/records/record.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "storage/volume.hpp"
#include "tests/support/lodge_host.hpp"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace lodge::test {

/// The key that wraps the volume keys of this host.
[[nodiscard]] Result<secret::SecretBuffer> master_key_of(const LodgeHost& host);
/// The key that authenticates the records of this host.
[[nodiscard]] Result<secret::SecretBuffer> host_key_of(const LodgeHost& host);
/// A record of this host, as `lodge recover` reads it.
[[nodiscard]] Result<daemon::ContainerRecord> container_record(const LodgeHost& host,
                                                               const std::string& text);
/// A container's volume key, unwrapped as the daemon does for a start.
[[nodiscard]] Result<secret::SecretBuffer> volume_key_of(const LodgeHost& host,
                                                         const std::string& name);
/// The volume of a stopped container, opened without the daemon: its filesystem has no id map.
[[nodiscard]] Result<storage::OpenVolume> open_volume_of(const LodgeHost& host,
                                                         const std::string& name);

/// Whether a process's memory, as a core image would have it, holds these bytes.
[[nodiscard]] Result<bool> memory_holds(pid_t pid, std::string_view bytes);

} // namespace lodge::test
