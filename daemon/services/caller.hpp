#pragma once

#include <cstdint>
#include <set>

/// The services of the daemon, as the HTTP routes use them. Routes translate between JSON and these
/// calls and decide nothing; services know nothing of HTTP. A call that fails because the daemon
/// ends fails with `unreachable`, so that its caller gets the answer that a killed daemon's caller
/// gets.
namespace lodge::daemon {

/// A permission that a request needs. Each route of the API names one.
enum class Permission : std::uint8_t {
    view,             ///< to see containers, templates, operations, events and the host
    operate,          ///< to start, stop, freeze and signal a container
    change,           ///< to create, change and destroy a container
    enter,            ///< to be root in a container: commands, its console
    manage_templates, ///< to build, import and remove templates
    manage_host,      ///< to shut the host's containers down, and to mend faults
};
using Permissions = std::set<Permission>;

/// The only role: a caller who can open the socket may do everything.
[[nodiscard]] inline const Permissions& all_permissions() {
    static const Permissions all{Permission::view,
                                 Permission::operate,
                                 Permission::change,
                                 Permission::enter,
                                 Permission::manage_templates,
                                 Permission::manage_host};
    return all;
}

/// Who asks: as SO_PEERCRED of the connection says.
struct Caller {
    std::uint32_t uid = 0;
    std::int32_t pid = 0;
    const Permissions* may = &all_permissions(); ///< never null; outlives the caller
};

} // namespace lodge::daemon
