#pragma once

#include "tests/fault/world.hpp"

#include <string>
#include <vector>

namespace lodge::test {

/// What follows `prefix` in the names that begin with it.
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

/// A precondition that was not met: it stays in the ledger, whatever the caller makes of the error.
[[nodiscard]] inline Status refuse(Things& things, const std::string& why) {
    things.insert("breach: " + why);
    return fail(ErrorCode::busy, "fake: " + why);
}

/// What runs in the container ends, as its init says or is told: "halt", "reboot", "signal 9". A
/// living monitor keeps how.
inline void end_processes(Things& things, const std::string& uuid, const std::string& how) {
    const bool ran = things.erase("init " + uuid) + things.erase("clone " + uuid) > 0;
    things.erase("mounts " + uuid);
    if (ran && things.contains("monitor " + uuid)) {
        things.insert("exit " + uuid + " " + how);
    }
}

} // namespace lodge::test
