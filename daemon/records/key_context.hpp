#pragma once

#include "lib/model/container.hpp"
#include "storage/key_provider.hpp"

namespace lodge::daemon {

/// What the wrapped key of a container's volume is bound to.
[[nodiscard]] inline storage::KeyContext key_context_of(const model::Container& container,
                                                        const model::Disk& disk) {
    return {.container = container.uuid, .volume = disk.uuid, .slot = disk.slot};
}

} // namespace lodge::daemon
