#pragma once

#include "lib/model/container.hpp"
#include "storage/key_provider.hpp"

namespace lodge::daemon {

/// The context that is bound into the wrapped key of a container's volume.
[[nodiscard]] inline storage::KeyContext key_context_of(const model::Container& container,
                                                        const model::Disk& disk) {
    return {.container = container.uuid, .volume = disk.uuid, .slot = disk.slot};
}

} // namespace lodge::daemon
