#include "daemon/records/places.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/model/object_names.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::daemon {

namespace {

// A thing that cannot be read is not absent: it would be removed as unclaimed.
Result<bool> is_there(int place, const char* name, struct stat& info) {
    if (::fstatat(place, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        return true;
    }
    return errno == ENOENT ? Result<bool>(false) : fail_errno("stat", name);
}

} // namespace

Result<Beside> look_beside(const std::string& directory) {
    ASSIGN_OR_RETURN(const auto place, kernel::open_directory(directory));
    Beside beside;
    struct stat info{};
    ASSIGN_OR_RETURN(beside.image, is_there(place.get(), model::kImageName, info));
    if (beside.image && S_ISREG(info.st_mode)) {
        beside.bytes = static_cast<std::uint64_t>(info.st_size);
    }
    ASSIGN_OR_RETURN(beside.record, is_there(place.get(), kRecordName, info));
    ASSIGN_OR_RETURN(beside.up, is_there(place.get(), kUpName, info));
    ASSIGN_OR_RETURN(beside.left, is_there(place.get(), kLeftName, info));
    return beside;
}

Status remove_place(const Settings& settings, const Uuid& uuid) {
    const auto parent = kernel::open_directory(settings.containers_directory());
    if (!parent) {
        return parent.error().sys_errno() == ENOENT ? Status{}
                                                    : std::unexpected<Error>(parent.error());
    }
    return kernel::remove_tree_at(parent->get(), uuid.to_string());
}

Status remove_places(const Settings& settings, const model::Container& container) {
    for (const model::Disk& disk : container.disks) {
        RETURN_IF_ERROR(remove_place(settings, disk.uuid));
    }
    return remove_place(settings, container.uuid);
}

Result<std::vector<Uuid>> volumes_on_disk(const Settings& settings) {
    std::vector<Uuid> uuids;
    const auto directory = kernel::open_directory(settings.containers_directory());
    if (!directory) {
        return directory.error().sys_errno() == ENOENT ? Result<std::vector<Uuid>>(std::move(uuids))
                                                       : std::unexpected<Error>(directory.error());
    }
    RETURN_IF_ERROR(kernel::for_each_entry(
        directory->get(), [&](const std::string& name, unsigned char) -> Status {
            const auto uuid = Uuid::parse(name);
            if (!uuid) { // nothing of ours
                return {};
            }
            const auto beside = look_beside(settings.container_directory(name));
            if (!beside || beside->image || beside->record) {
                uuids.push_back(*uuid);
            }
            return {};
        }));
    std::sort(uuids.begin(), uuids.end());
    return uuids;
}

Status remove_leavings(const Settings& settings, const Uuid& container) {
    const std::string place = settings.container_directory(container.to_string());
    const auto beside = look_beside(place);
    if (!beside) {
        return beside.error().sys_errno() == ENOENT ? Status{}
                                                    : std::unexpected<Error>(beside.error());
    }
    if (beside->record || beside->left) {
        return fail(ErrorCode::invalid_state,
                    "'" + place +
                        "' holds a container of which the database knows nothing; it is left "
                        "alone. To have it back, stop lodged, move lodge.db away and run `lodge "
                        "recover`");
    }
    return remove_place(settings, container);
}

} // namespace lodge::daemon
