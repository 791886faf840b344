#pragma once

#include "tests/support/lodge_host.hpp"

#include <set>
#include <string>

#include <sys/types.h>

namespace lodge::test {

/// A process that is one and the same for as long as this does not change; pid 0: there is none.
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

/// A host with a container `web1` or without, as it is to be seen from outside: what `lodge list`
/// and `lodge template list` say, the inventory of the leak check, the files of the state
/// directory, what the control groups hold, who watches the init.
struct HostState {
    /// Each thing as a line of text, in which what differs from one run to the next (identities,
    /// numbers of processes and devices, times) is made alike.
    std::multiset<std::string> lines;
    ProcessIdentity init; ///< of web1
};
[[nodiscard]] HostState take_state(const LodgeHost& host);

/// The lines that are in `now` and not in `then` (+), or the other way round (-); empty when equal.
[[nodiscard]] std::string difference(const HostState& then, const HostState& now);

} // namespace lodge::test
