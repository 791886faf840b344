#include "daemon/rescue/open_state.hpp"

#include "daemon/records/places.hpp"
#include "daemon/store/backups.hpp"
#include "daemon/store/store.hpp"

#include <cerrno>

#include <sys/stat.h>

namespace lodge::daemon {

namespace {

Status check_not_lost(const Settings& settings) {
    if (has_database(settings)) {
        return {};
    }
    ASSIGN_OR_RETURN(const auto volumes, volumes_on_disk(settings));
    if (volumes.empty()) {
        return {};
    }
    return fail(ErrorCode::corrupt,
                "the database '" + settings.database_path() + "' is lost, but there are " +
                    std::to_string(volumes.size()) + " container(s) in '" +
                    settings.containers_directory() +
                    "'; nothing was touched. `lodge recover` builds it anew from what lies beside "
                    "them");
}

} // namespace

bool has_database(const Settings& settings) {
    struct stat info{};
    if (::lstat(settings.database_path().c_str(), &info) != 0) {
        return errno != ENOENT; // if it cannot be examined, opening it gives the reason
    }
    return info.st_size > 0;
}

Result<std::unique_ptr<db::Database>> open_state(const Settings& settings) {
    RETURN_IF_ERROR(check_not_lost(settings));
    Backups backups(settings.backups_directory(), settings.database_copies);
    auto database =
        open_store(settings.database_path(), [&](db::Database& old, int schema) -> Status {
            return with_context(backups.take_before_migration(old, schema),
                                "keep a copy before the schema is changed");
        });
    if (!database && database.error().code() == ErrorCode::corrupt) {
        return fail(ErrorCode::corrupt,
                    database.error().message() + "; move it away, with its -wal and -shm, then " +
                        "run `lodge recover`, or put a copy from '" + settings.backups_directory() +
                        "' in its place. Containers go on");
    }
    return database;
}

} // namespace lodge::daemon
