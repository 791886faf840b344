#pragma once

#include "tests/fault/world.hpp"

#include <string>
#include <vector>

namespace lodge::test {

/// The rest of each name that begins with `prefix`.
[[nodiscard]] inline std::vector<std::string> with_prefix(const Things& things,
                                                          const std::string& prefix) {
    std::vector<std::string> found;
    for (const std::string& thing : things) {
        if (thing.rfind(prefix, 0) == 0) {
            found.push_back(thing.substr(prefix.size()));
        }
    }
    return found;
}

/// A breach of a precondition. It stays in the ledger, even if the caller ignores the error.
[[nodiscard]] inline Status refuse(Things& things, const std::string& why) {
    things.insert("breach: " + why);
    return fail(ErrorCode::busy, "fake: " + why);
}

/// Ends the processes of the container in the way `how`: "halt", "reboot", "signal 9". A living
/// monitor keeps it.
inline void end_processes(Things& things, const std::string& uuid, const std::string& how) {
    const bool ran = things.erase("init " + uuid) + things.erase("clone " + uuid) > 0;
    things.erase("mounts " + uuid);
    if (ran && things.contains("monitor " + uuid)) {
        things.insert("exit " + uuid + " " + how);
    }
}

} // namespace lodge::test
