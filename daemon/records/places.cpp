#include "daemon/records/places.hpp"

#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::daemon {

Result<Beside> look_beside(const std::string& directory) {
    ASSIGN_OR_RETURN(const auto place, kernel::open_directory(directory));
    Beside beside;
    struct stat info{};
    beside.image = ::fstatat(place.get(), "volume.img", &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (beside.image && S_ISREG(info.st_mode)) {
        beside.bytes = static_cast<std::uint64_t>(info.st_size);
    }
    beside.record = ::fstatat(place.get(), kRecordName, &info, AT_SYMLINK_NOFOLLOW) == 0;
    beside.up = ::fstatat(place.get(), kUpName, &info, AT_SYMLINK_NOFOLLOW) == 0;
    beside.left = ::fstatat(place.get(), kLeftName, &info, AT_SYMLINK_NOFOLLOW) == 0;
    return beside;
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
    ASSIGN_OR_RETURN(const auto parent, kernel::open_directory(settings.containers_directory()));
    return kernel::remove_tree_at(parent.get(), container.to_string());
}

} // namespace lodge::daemon
