#pragma once

#include "tests/support/lodge_host.hpp"

#include <set>
#include <string>

#include <sys/types.h>

namespace lodge::test {

/// Identifies a process: equal values mean the same process. pid 0: there is none.
struct ProcessIdentity {
    pid_t pid = 0;
    std::string start_time;
    bool operator==(const ProcessIdentity&) const = default;
};
[[nodiscard]] ProcessIdentity identify(pid_t pid);
/// The init of a container that runs.
[[nodiscard]] ProcessIdentity init_of(const LodgeHost& host, const std::string& name);
/// Its parent, or 0.
[[nodiscard]] pid_t parent_of(pid_t pid);
/// Waits until the process has ended, up to ten seconds.
[[nodiscard]] bool has_ended(pid_t pid);

/// The state of a host, with or without a container `web1`, as seen from outside: the output of
/// `lodge list` and `lodge template list`, the inventory of the leak check, the files of the state
/// directory, the content of the control groups, and the process that watches the init.
struct HostState {
    /// Each object as a line of text. Values that differ between runs (identities, numbers of
    /// processes and devices, times) are replaced by fixed words.
    std::multiset<std::string> lines;
    ProcessIdentity init; ///< of web1
};
[[nodiscard]] HostState take_state(const LodgeHost& host);

/// The lines that are in `now` and not in `then` (+), or the other way round (-); empty when equal.
[[nodiscard]] std::string difference(const HostState& then, const HostState& now);

} // namespace lodge::test
