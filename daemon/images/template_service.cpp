#include "daemon/images/template_service.hpp"

#include "daemon/records/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

// Templates and containers may have the same names, so their locks differ.
std::string lock_of(const std::string& name) {
    return "template " + name;
}

Result<bool> is_claimed(const Parts& parts, const std::string& digest) {
    ASSIGN_OR_RETURN(const auto names, parts.templates.list());
    const auto stands_for = [&](const templates::Template& made) { return made.digest == digest; };
    if (std::any_of(names.begin(), names.end(), stands_for)) {
        return true;
    }
    return parts.containers.uses_template(digest);
}

// The containers that are made of it, in creation or not, as many as one looks at; "" for none.
Result<std::string> told_users(const Parts& parts, const std::string& digest) {
    constexpr int kNamed = 5;
    ASSIGN_OR_RETURN(const auto all, parts.containers.list_all());
    std::string names;
    int count = 0;
    for (const model::Container& one : all) {
        if (one.template_digest == digest && ++count <= kNamed) {
            names += (names.empty() ? "'" : ", '") + one.spec.name + "'";
        }
    }
    return count > kNamed ? names + " and " + std::to_string(count - kNamed) + " more" : names;
}

// The bytes behind the end of an archive: most archives are padded.
Status read_past(int fd, int cancel_fd) {
    std::array<char, 16384> chunk{};
    while (true) {
        std::array<pollfd, 2> waits{{{fd, POLLIN, 0}, {cancel_fd, POLLIN, 0}}};
        if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
            return fail_errno("poll");
        }
        if (waits[1].revents != 0) {
            return fail(ErrorCode::cancelled, "the import was cancelled");
        }
        const ssize_t size = waits[0].revents != 0 ? ::read(fd, chunk.data(), chunk.size()) : 1;
        if (size == 0) {
            return {};
        }
        if (size < 0 && errno != EINTR) {
            return fail_errno("read", "the archive");
        }
    }
}

} // namespace

Status remove_unclaimed_image(const Parts& parts, const std::string& digest) {
    ASSIGN_OR_RETURN(const bool claimed, is_claimed(parts, digest));
    if (claimed) {
        return {};
    }
    RETURN_IF_ERROR(parts.store.unmount(digest));
    return parts.store.remove(digest);
}

// An existing image of the same content may have gone with its last name while this one was made.
Status Templates::publish(const templates::Template& made) {
    const std::lock_guard guard(claiming_);
    ASSIGN_OR_RETURN(const auto digests, parts_.store.list());
    if (std::find(digests.begin(), digests.end(), made.digest) == digests.end()) {
        return fail(ErrorCode::busy,
                    "the same image was removed under another name meanwhile; try again");
    }
    RETURN_IF_ERROR(write_record(parts_, made));
    RETURN_IF_ERROR(parts_.templates.put(made));
    parts_.events.publish({.kind = "template", .resource = made.name, .what = "created"});
    return {};
}

Status Templates::drop_image(const std::string& digest) {
    const std::lock_guard guard(claiming_);
    return digest.empty() ? Status{} : remove_unclaimed_image(parts_, digest);
}

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
                 .warn = [this, id](const std::string& what) { engine_.warn(id, what); },
                 .cancel_fd = engine_.cancel_fd(id),
                 .received = {}};
             ASSIGN_OR_RETURN(*made, make_template(work));
             made->name = name;
             return {};
         },
         [this, id, made]() -> Status {
             RETURN_IF_ERROR(parts_.store.discard(id.to_string()));
             return drop_image(made->digest);
         }});
    // A write that reported a failure may have happened.
    plan.steps.push_back({"publish",
                          [this, made] { return publish(*made); },
                          [this, made]() -> Status {
                              RETURN_IF_ERROR(parts_.templates.remove(made->name, made->digest));
                              return parts_.store.remove_record(made->digest, made->name);
                          }});
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
        templates::load_definition(parts_.settings.definitions_directories, definition_name));
    return make(kTemplateBuild,
                name.empty() ? definition_name : name,
                [this, definition](const templates::Work& work) {
                    return parts_.store.build(definition, work);
                });
}

Result<Uuid> Templates::import(const Caller&, const std::string& name, Archive archive) {
    const auto shared = std::make_shared<Archive>(std::move(archive));
    ASSIGN_OR_RETURN(const Uuid id,
                     make(kTemplateImport, name, [this, name, shared](templates::Work work) {
                         // Closed with the step, also when it did not read to the end: whoever
                         // still writes there must not wait for us.
                         const Archive taken = std::move(*shared);
                         if (taken.copied.valid()) {
                             work.received = [&]() -> Status {
                                 RETURN_IF_ERROR(read_past(taken.bytes.get(), work.cancel_fd));
                                 return taken.copied.get();
                             };
                         }
                         return parts_.store.import(name, taken.bytes.get(), work);
                     }));
    (void)engine_.wait(id, Deadline::never()); // the caller holds the other end of the archive
    return id;
}

Result<Uuid> Templates::remove(const Caller&, const std::string& name) {
    ASSIGN_OR_RETURN(const auto found, parts_.templates.find(name));
    return engine_.submit({.verb = kTemplateRemove,
                           .resource = lock_of(name),
                           .arguments = name,
                           .prepare = [this, &found] { return removal(found); }});
}

Result<Plan> Templates::removal(const templates::Template& found) {
    ASSIGN_OR_RETURN(const std::string users, told_users(parts_, found.digest));
    if (!users.empty()) {
        return fail(ErrorCode::busy,
                    "the template '" + found.name + "' is in use by " + users +
                        "; destroy them first");
    }
    Plan plan;
    plan.steps.push_back({"forget",
                          [this, found]() -> Status {
                              RETURN_IF_ERROR(parts_.templates.remove(found.name, found.digest));
                              parts_.events.publish(
                                  {.kind = "template", .resource = found.name, .what = "removed"});
                              return {};
                          },
                          [this, found] { return parts_.templates.put(found); }});
    plan.commit = plan.answer = plan.steps.size();
    plan.steps.push_back({"remove image",
                          [this, found]() -> Status {
                              RETURN_IF_ERROR(parts_.store.remove_record(found.digest, found.name));
                              return drop_image(found.digest);
                          },
                          {}});
    return plan;
}

Result<std::vector<templates::Definition>> Templates::definitions(const Caller&) {
    return templates::load_definitions(parts_.settings.definitions_directories);
}

Plan template_recovery_plan(const Parts& parts, const LoggedOperation& left) {
    // The one write of each came about or did not: the row counts.
    const auto is_there = [&parts, name = left.arguments]() -> Result<bool> {
        const auto found = parts.templates.find(name);
        if (!found && found.error().code() != ErrorCode::not_found) {
            return std::unexpected<Error>(found.error());
        }
        return found.has_value();
    };
    Plan plan;
    if (left.verb == kTemplateRemove) {
        plan.steps.push_back({"forget", {}, {}});
        plan.commit = plan.steps.size();
        plan.committed = [is_there]() -> Result<bool> {
            ASSIGN_OR_RETURN(const bool there, is_there());
            return !there;
        };
        plan.steps.push_back({"remove image", [] { return Status{}; }, {}}); // it is swept
    } else {
        plan.steps.push_back(
            {"make", {}, [&parts, id = left.id] { return parts.store.discard(id.to_string()); }});
        plan.steps.push_back({"publish", {}, {}});
        plan.commit = plan.steps.size();
        plan.committed = is_there;
    }
    plan.answer = plan.steps.size();
    return plan;
}

} // namespace lodge::daemon
