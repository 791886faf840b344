#include "daemon/recovery/unfinished.hpp"

#include "daemon/autostart/autostart.hpp"
#include "daemon/containers/logged_verb.hpp"
#include "daemon/containers/verbs.hpp"
#include "daemon/images/template_service.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace lodge::daemon {

namespace {

// Nothing is to be done: its stops are operations of their own.
Plan shutdown_anew(const Parts&, const LoggedOperation&) {
    Plan plan;
    plan.steps.push_back({kShutdownStep, {}, {}});
    plan.answer = plan.steps.size();
    return plan;
}

/// A verb of something else than a container.
struct OtherVerb {
    std::string_view word;
    bool of_template; ///< whose name is its argument; else it has none
    Plan (*plan)(const Parts& parts, const LoggedOperation& left);
};

constexpr std::array<OtherVerb, 4> kOtherVerbs{{
    {kHostShutdown, false, shutdown_anew},
    {kTemplateBuild, true, template_recovery_plan},
    {kTemplateImport, true, template_recovery_plan},
    {kTemplateRemove, true, template_recovery_plan},
}};

const OtherVerb* find_other_verb(std::string_view word) {
    const auto* found = std::ranges::find(kOtherVerbs, word, &OtherVerb::word);
    return found == kOtherVerbs.end() ? nullptr : found;
}

bool has_arguments_of(const ContainerVerb& verb, const std::string& arguments) {
    const auto logged = parse_arguments(arguments);
    return logged && (!logged->halt_timeout || verb.may_halt());
}

bool has_arguments_of(const OtherVerb& verb, const std::string& arguments) {
    return verb.of_template ? model::validate_name(arguments).has_value() : arguments.empty();
}

std::unexpected<Error> foreign(const LoggedOperation& left, const std::string& what) {
    return fail(ErrorCode::unsupported,
                left.verb + " was left unfinished, and " + what +
                    ": it is left in the log of operations");
}

// The row of an operation's container, or as much of it as names need when the row is gone.
Result<model::Container> row_or_name(const Parts& parts, const LoggedOperation& left) {
    model::Container nameless;
    if (const auto verb = parse_arguments(left.arguments)) {
        auto container = parts.containers.find(verb->container);
        if (container || container.error().code() != ErrorCode::not_found) {
            return container;
        }
        nameless.uuid = verb->container;
    }
    nameless.spec.name = left.resource;
    nameless.spec.encryption = storage::encryption_to_close_with(parts.volumes);
    // Their objects went before the row: the names need not be theirs, but each step is known.
    nameless.disks.push_back({.uuid = nameless.uuid});
    nameless.cards.push_back({.uuid = nameless.uuid,
                              .mac_address = network::mac_address_of(nameless.uuid),
                              .addresses = {}});
    return nameless;
}

} // namespace

Status check_logged(const LoggedOperation& left) {
    const ContainerVerb* verb = find_container_verb(left.verb);
    const OtherVerb* other = find_other_verb(left.verb);
    if (left.id == Uuid{}) {
        return foreign(left, "it has no id");
    }
    if (verb == nullptr && other == nullptr) {
        return foreign(left, "this release knows no such verb");
    }
    return (verb != nullptr ? has_arguments_of(*verb, left.arguments)
                            : has_arguments_of(*other, left.arguments))
               ? Status{}
               : foreign(left, "'" + left.arguments + "' are no arguments of it");
}

StopOrder forced_order_of(const LoggedOperation& left) {
    const ContainerVerb* verb = find_container_verb(left.verb);
    const StopsFor whom = verb != nullptr ? verb->stops_for : StopsFor::nobody;
    return {.unasked = whom == StopsFor::init, .with_host = whom == StopsFor::host};
}

StopOrder whole_order_of(const LoggedOperation& left) {
    StopOrder order = forced_order_of(left);
    if (const auto verb = parse_arguments(left.arguments)) {
        order.halt_timeout = verb->halt_timeout;
    }
    return order;
}

Result<Plan> plan_of(const Parts& parts, const LoggedOperation& left, const StopOrder& order) {
    RETURN_IF_ERROR(check_logged(left));
    Plan plan;
    if (const ContainerVerb* verb = find_container_verb(left.verb)) {
        ASSIGN_OR_RETURN(model::Container container, row_or_name(parts, left));
        ASSIGN_OR_RETURN(
            plan, verb->plan({.parts = parts, .container = std::move(container), .order = order}));
    } else {
        plan = find_other_verb(left.verb)->plan(parts, left);
    }
    for (const StepId& intended : left.intended) {
        const bool known = std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
            return step.id() == intended;
        });
        if (!known) {
            return foreign(left, "this release knows no step '" + intended.to_string() + "' of it");
        }
    }
    return plan;
}

} // namespace lodge::daemon
