#include "daemon/containers/limits.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/records/files.hpp"

#include <utility>

namespace lodge::daemon {

namespace {

// A stopped container has no group; it gets its limits when it starts.
Status set_limits(const Parts& parts,
                  const model::Container& container,
                  const model::Resources& resources) {
    const std::string what = "set '" + container.spec.name + "'";
    return parts.groups.set_limits(Parts::group_of(container), limits_for(parts, resources, what));
}

} // namespace

Plan set_plan(const Parts& parts,
              const model::Container& container,
              const model::ContainerSpec& spec) {
    model::Container changed = container;
    changed.spec = spec;
    Plan plan;
    if (spec.resources != container.spec.resources) {
        plan.warnings = warnings_of_limits(parts, spec.resources);
    }
    plan.steps.push_back(
        {"limits",
         [&parts, changed] { return set_limits(parts, changed, changed.spec.resources); },
         [&parts, container] { return set_limits(parts, container, container.spec.resources); }});
    plan.steps.push_back({"row",
                          [&parts, changed]() -> Status {
                              RETURN_IF_ERROR(
                                  parts.containers.update_spec(changed.uuid, changed.spec));
                              parts.announce(changed, "changed");
                              return {};
                          },
                          [&parts, container] {
                              return parts.containers.update_spec(container.uuid, container.spec);
                          }});
    plan.commit = plan.answer = plan.steps.size();
    // Behind the answer: the next start of a daemon writes a record that fails here.
    plan.steps.push_back(
        {"write record", [&parts, changed] { return write_record(parts, changed); }, {}});
    return plan;
}

} // namespace lodge::daemon
