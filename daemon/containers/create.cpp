#include "daemon/containers/host_name.hpp"
#include "daemon/containers/hosts_file.hpp"
#include "daemon/containers/limits.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/containers/resolvers.hpp"
#include "daemon/containers/seed_tree.hpp"
#include "daemon/records/files.hpp"
#include "daemon/records/key_context.hpp"
#include "daemon/records/places.hpp"
#include "lib/kernel/fs.hpp"

#include <cerrno>
#include <utility>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

// The values that the steps of one create pass on.
struct Creation {
    model::Container container;
    std::shared_ptr<CreateRequest> request;
    secret::SecretBuffer key;
    storage::OpenVolume volume;
    Warn warn;
};
using CreationPtr = std::shared_ptr<Creation>;

Status reserve(const Parts& parts, Creation& creation) {
    ASSIGN_OR_RETURN(creation.key, secret::SecretBuffer::random(storage::kVolumeKeySize));
    const model::Disk& root = creation.container.root();
    ASSIGN_OR_RETURN(const storage::SealedKey sealed,
                     parts.keys.wrap(key_context_of(creation.container, root), creation.key));
    return parts.containers.insert(creation.container, {{root.uuid, sealed}});
}

Status seed(const Parts& parts, Creation& creation) {
    const model::Container& container = creation.container;
    const Resolvers resolvers = resolvers_for(parts.settings, container.addresses());
    if (resolvers.servers.empty()) {
        creation.warn("it gets no name server: " + resolvers.why_not);
    }
    const Seed seed{.hostname = container.spec.hostname,
                    .addresses = address_texts(container),
                    .nameservers = resolvers.servers,
                    .ssh_keys = creation.request->spec.ssh_keys,
                    .password_hash = creation.request->root_password_hash};
    ASSIGN_OR_RETURN(const auto lower, parts.store.mount(container.template_digest));
    const bool shared = container.spec.rootfs == model::Rootfs::shared;
    const std::string tree = Parts::tree_of(container);
    const int volume = creation.volume.filesystem.get();
    if (!shared) {
        RETURN_IF_ERROR(kernel::make_directory_at(volume, tree, 0755));
    }
    ASSIGN_OR_RETURN(const auto target, kernel::open_directory_at(volume, tree));
    if (!shared) {
        ASSIGN_OR_RETURN(const auto source, kernel::open_directory_at(lower.get(), "."));
        RETURN_IF_ERROR(with_context(templates::copy_tree(source.get(), target.get()),
                                     "unpack the template into the volume"));
    }
    ASSIGN_OR_RETURN(const auto sentences, seed_tree(lower.get(), target.get(), seed));
    for (const std::string& sentence : sentences) {
        creation.warn(sentence);
    }
    return remember_host_name(volume, seed.hostname);
}

// The files must be on the disk before the row says that the container exists.
Status close_volume(Creation& creation) {
    ASSIGN_OR_RETURN(const auto root,
                     kernel::open_directory_at(creation.volume.filesystem.get(), "."));
    if (::syncfs(root.get()) != 0) {
        return fail_errno("syncfs", "the volume");
    }
    creation.volume.filesystem.reset();
    creation.key = {};
    return {};
}

// A full host shows in a volume as EIO: ext4 in it sees a disk that fails.
Status explain_full_host(const storage::Volume& volume, Status status) {
    constexpr std::uint64_t kFull = std::uint64_t{1} << 20;
    struct statvfs host{};
    if (status || status.error().sys_errno() != EIO ||
        ::statvfs(volume.directory.c_str(), &host) != 0 ||
        std::uint64_t{host.f_bavail} * host.f_frsize >= kFull) {
        return status;
    }
    return std::unexpected<Error>(
        Error(ErrorCode::no_space, "no space is left on the host for '" + volume.image_path() + "'")
            .with_errno(ENOSPC)
            .context(status.error().to_string()));
}

} // namespace

Plan create_plan(const Parts& parts,
                 const model::Container& container,
                 std::shared_ptr<CreateRequest> request,
                 Warn warn) {
    const auto creation = std::make_shared<Creation>();
    creation->container = container;
    creation->request = std::move(request);
    creation->warn = std::move(warn);
    const storage::Volume volume = parts.volume_of(container, container.root());
    Plan plan;
    plan.warnings = warnings_of_limits(parts, container.spec.resources);
    plan.steps.push_back({"reserve",
                          [&parts, creation] { return reserve(parts, *creation); },
                          [&parts, container] { return parts.containers.remove(container.uuid); }});
    plan.steps.push_back({"directory",
                          [volume] { return kernel::make_directories(volume.directory, 0700); },
                          // An open volume must keep its name, by which recovery finds it.
                          [&parts, container, volume]() -> Status {
                              RETURN_IF_ERROR(parts.driver_of(container).close(volume));
                              return remove_places(parts.settings, container);
                          }});
    plan.steps.push_back(
        {"volume",
         [&parts, creation, volume]() -> Status {
             auto opened = parts.driver_of(creation->container).create(volume, creation->key);
             if (!opened) {
                 return explain_full_host(volume, std::unexpected<Error>(opened.error()));
             }
             creation->volume = std::move(*opened);
             return {};
         },
         [&parts, creation, volume]() -> Status {
             creation->volume.filesystem.reset();
             RETURN_IF_ERROR(parts.driver_of(creation->container).close(volume));
             return parts.driver_of(creation->container).destroy(volume);
         },
         container.root().name()});
    plan.steps.push_back(
        {"seed",
         [&parts, creation, volume] { return explain_full_host(volume, seed(parts, *creation)); },
         {}});
    plan.steps.push_back(
        {"close",
         [creation, volume] { return explain_full_host(volume, close_volume(*creation)); },
         {}});
    // The last step before `publish`: a container with a record is whole.
    plan.steps.push_back({"write record",
                          [&parts, creation] { return write_record(parts, creation->container); },
                          [&parts, container] { return erase_record(parts, container.uuid); }});
    plan.steps.push_back({"publish",
                          [&parts, creation]() -> Status {
                              RETURN_IF_ERROR(parts.containers.publish(creation->container.uuid));
                              parts.announce(creation->container, "created");
                              return {};
                          },
                          {}});
    plan.commit = plan.answer = plan.steps.size();
    plan.committed = [&parts, uuid = container.uuid] {
        return parts.containers.is_published(uuid);
    };
    return plan;
}

} // namespace lodge::daemon
