#include "daemon/images/template_service.hpp"

#include <utility>

namespace lodge::daemon {

namespace {

// Templates and containers may have the same names; their locks must not meet.
std::string lock_of(const std::string& name) {
    return "template " + name;
}

Status forget(const Parts& parts, const std::string& name, const std::string& digest) {
    RETURN_IF_ERROR(parts.templates.remove(name));
    ASSIGN_OR_RETURN(const auto others, parts.templates.list());
    for (const templates::Template& other : others) {
        if (other.digest == digest) {
            return {}; // another name stands for the same image
        }
    }
    RETURN_IF_ERROR(parts.store.unmount(digest));
    return parts.store.remove(digest);
}

} // namespace

Result<Uuid> Templates::make(const std::string& verb,
                             const std::string& name,
                             const MakeTemplate& make_template) {
    RETURN_IF_ERROR(model::validate_name(name));
    ASSIGN_OR_RETURN(const Uuid id, Uuid::generate());
    const auto made = std::make_shared<templates::Template>();
    Plan plan;
    plan.steps.push_back(
        {"make",
         [this, id, name, made, make_template]() -> Status {
             const templates::Work work{
                 .id = id.to_string(),
                 .progress = [this, id](const std::string& step) { engine_.progress(id, step); },
                 .cancel_fd = engine_.cancel_fd(id)};
             ASSIGN_OR_RETURN(*made, make_template(work));
             made->name = name;
             return {};
         },
         [this, id] { return parts_.store.discard(id.to_string()); }});
    plan.steps.push_back({"publish",
                          [this, made]() -> Status {
                              RETURN_IF_ERROR(parts_.templates.put(*made));
                              parts_.events.publish(
                                  {.kind = "template", .resource = made->name, .what = "created"});
                              return {};
                          },
                          {}});
    plan.commit = plan.answer = plan.steps.size();
    return engine_.submit({.verb = verb,
                           .resource = lock_of(name),
                           .arguments = name,
                           .id = id,
                           .prepare = [&]() -> Result<Plan> {
                               if (parts_.templates.find(name)) {
                                   return fail(ErrorCode::already_exists,
                                               "a template called '" + name +
                                                   "' exists already; remove it first");
                               }
                               return std::move(plan);
                           }});
}

Result<Uuid>
Templates::build(const Caller&, const std::string& definition_name, const std::string& name) {
    ASSIGN_OR_RETURN(
        const auto definition,
        templates::load_definition(parts_.settings.definitions_directory, definition_name));
    return make("template build",
                name.empty() ? definition_name : name,
                [this, definition](const templates::Work& work) {
                    return parts_.store.build(definition, work);
                });
}

Result<Uuid> Templates::import(const Caller&, const std::string& name, UniqueFd archive) {
    const auto shared = std::make_shared<UniqueFd>(std::move(archive));
    ASSIGN_OR_RETURN(
        const Uuid id,
        make("template import", name, [this, name, shared](const templates::Work& work) {
            return parts_.store.import(name, shared->get(), work);
        }));
    (void)engine_.wait(id, Deadline::never()); // the caller holds the other end of the archive
    return id;
}

Result<Uuid> Templates::remove(const Caller&, const std::string& name) {
    ASSIGN_OR_RETURN(const auto found, parts_.templates.find(name));
    return engine_.submit(
        {.verb = "template remove",
         .resource = lock_of(name),
         .arguments = name + " " + found.digest,
         .prepare = [this, &name, &found] { return removal(name, found.digest); }});
}

Result<Plan> Templates::removal(const std::string& name, const std::string& digest) {
    ASSIGN_OR_RETURN(const bool used, parts_.containers.uses_template(digest));
    if (used) {
        return fail(ErrorCode::busy,
                    "the template '" + name + "' is in use by containers; destroy them first");
    }
    Plan plan;
    plan.steps.push_back({"forget",
                          [this, name, digest]() -> Status {
                              RETURN_IF_ERROR(forget(parts_, name, digest));
                              parts_.events.publish(
                                  {.kind = "template", .resource = name, .what = "removed"});
                              return {};
                          },
                          {}});
    plan.commit = 0;
    plan.answer = plan.steps.size();
    plan.on_recovery = OnRecovery::rerun;
    return plan;
}

Result<std::vector<templates::Definition>> Templates::definitions() {
    return templates::load_definitions(parts_.settings.definitions_directory);
}

Plan template_recovery_plan(const Parts& parts, const LoggedOperation& left) {
    Plan plan;
    if (left.verb == "template remove") {
        const std::size_t space = left.arguments.find(' ');
        const std::string name = left.arguments.substr(0, space);
        const std::string digest =
            space == std::string::npos ? "" : left.arguments.substr(space + 1);
        plan.steps.push_back(
            {"forget", [&parts, name, digest] { return forget(parts, name, digest); }, {}});
        plan.on_recovery = OnRecovery::rerun;
        plan.answer = 1;
        return plan;
    }
    plan.steps.push_back(
        {"make", {}, [&parts, id = left.id] { return parts.store.discard(id.to_string()); }});
    plan.commit = plan.answer = 1;
    return plan;
}

} // namespace lodge::daemon
