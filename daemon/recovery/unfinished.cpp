#include "daemon/recovery/unfinished.hpp"

#include "daemon/autostart/autostart.hpp"
#include "daemon/containers/logged_verb.hpp"
#include "daemon/images/template_service.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace lodge::daemon {

namespace {

// What the arguments of a verb are.
enum class Form : std::uint8_t {
    container, ///< "UUID"
    halting,   ///< "UUID" or "UUID MILLISECONDS"
    name,      ///< of a template
    none,
};

/// What a plan is built anew from.
struct Left {
    const Parts& parts;
    const LoggedOperation& logged;
    const StopOrder& order;
    model::Container container; ///< of Form::container and Form::halting
};

struct KnownVerb {
    std::string_view verb;
    Form form;
    Plan (*plan)(const Left& left);
};

Plan stop_anew(const Left& left) {
    return stop_plan(left.parts, left.container, left.order);
}

Plan create_anew(const Left& left) {
    return create_plan(left.parts, left.container, nullptr);
}

// What was asked for as one is undone as one, unless the container runs.
Plan create_and_start_anew(const Left& left) {
    Plan plan = followed_by(create_anew(left), start_plan(left.parts, left.container));
    plan.on_recovery = OnRecovery::undo;
    return plan;
}

// Nothing is to be done: its stops are operations of their own.
Plan shutdown_anew(const Left&) {
    Plan plan;
    plan.steps.push_back({kShutdownStep, {}, {}});
    plan.answer = plan.steps.size();
    return plan;
}

Plan template_anew(const Left& left) {
    return template_recovery_plan(left.parts, left.logged);
}

// Every verb that is submitted to the engine, as daemon/README.md has them.
constexpr std::array<KnownVerb, 15> kVerbs{{
    {"create", Form::container, create_anew},
    {"create+start", Form::container, create_and_start_anew},
    {"start",
     Form::container,
     [](const Left& left) { return start_plan(left.parts, left.container); }},
    {"stop", Form::halting, stop_anew},
    {"collect", Form::container, stop_anew},
    {"stop with host", Form::halting, stop_anew},
    {"restart",
     Form::halting,
     [](const Left& left) { return restart_plan(left.parts, left.container, left.order); }},
    {"freeze",
     Form::container,
     [](const Left& left) { return freeze_plan(left.parts, left.container); }},
    {"thaw",
     Form::container,
     [](const Left& left) { return thaw_plan(left.parts, left.container); }},
    {"set", // the row counts, old or new
     Form::container,
     [](const Left& left) { return set_plan(left.parts, left.container, left.container.spec); }},
    {"destroy",
     Form::container,
     [](const Left& left) { return destroy_plan(left.parts, left.container); }},
    {"host shutdown", Form::none, shutdown_anew},
    {"template build", Form::name, template_anew},
    {"template import", Form::name, template_anew},
    {"template remove", Form::name, template_anew},
}};

const KnownVerb* find_verb(std::string_view verb) {
    const auto* known = std::find_if(
        kVerbs.begin(), kVerbs.end(), [&](const KnownVerb& one) { return one.verb == verb; });
    return known == kVerbs.end() ? nullptr : known;
}

bool has_form(Form form, const std::string& arguments) {
    const auto verb = parse_arguments(arguments);
    switch (form) {
    case Form::container:
        return verb && !verb->halt_timeout;
    case Form::halting:
        return verb.has_value();
    case Form::name:
        return model::validate_name(arguments).has_value();
    case Form::none:
        break;
    }
    return arguments.empty();
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
    nameless.spec.encryption = model::Encryption::none;
    nameless.mac_address = network::mac_address_of(nameless.uuid);
    return nameless;
}

} // namespace

Status check_logged(const LoggedOperation& left) {
    const KnownVerb* known = find_verb(left.verb);
    if (left.id == Uuid{}) {
        return foreign(left, "it has no id");
    }
    if (known == nullptr) {
        return foreign(left, "this release knows no such verb");
    }
    return has_form(known->form, left.arguments)
               ? Status{}
               : foreign(left, "'" + left.arguments + "' are no arguments of it");
}

StopOrder forced_order_of(const LoggedOperation& left) {
    return {.unasked = left.verb == "collect", .with_host = left.verb == "stop with host"};
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
    ASSIGN_OR_RETURN(model::Container container, row_or_name(parts, left));
    Plan plan = find_verb(left.verb)->plan(
        {.parts = parts, .logged = left, .order = order, .container = std::move(container)});
    for (const std::string& intended : left.intended) {
        const bool known = std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
            return step.name == intended;
        });
        if (!known) {
            return foreign(left, "this release knows no step '" + intended + "' of it");
        }
    }
    return plan;
}

} // namespace lodge::daemon
