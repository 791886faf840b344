#include "daemon/store/backups.hpp"

#include "lib/base/contained.hpp"
#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr auto kLook = std::chrono::hours(1);
constexpr std::string_view kUnfinished = ".new";
// Operations that run during the copy will have ended when the copy replaces the database. Recovery
// must not undo them then, so the copy has no operations. These tables are in every schema since
// the first.
constexpr std::array<const char*, 2> kOnItsWay{"DELETE FROM operation",
                                               "DELETE FROM container WHERE published = 0"};

std::string name_of_day(std::time_t now) {
    std::tm parts{};
    (void)::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "lodge-%Y%m%d.db", &parts)};
}

bool is_daily(const std::string& name) {
    constexpr std::string_view kForm = "lodge-00000000.db";
    if (name.size() != kForm.size()) {
        return false;
    }
    for (std::size_t at = 0; at < name.size(); ++at) {
        const bool digit = name[at] >= '0' && name[at] <= '9';
        if (kForm[at] == '0' ? !digit : name[at] != kForm[at]) {
            return false;
        }
    }
    return true;
}

Status sync(const UniqueFd& fd, const std::string& path) {
    return ::fsync(fd.get()) == 0 ? Status{} : fail_errno("fsync", path);
}

// Removes the rest of an interrupted copy: SQLite copies into a new file only, and replays a
// journal.
Status remove_unfinished(const std::string& copy) {
    for (const char* suffix : {"", "-journal"}) {
        const std::string path = copy + suffix;
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
            return fail_errno("unlink", path);
        }
    }
    return {};
}

} // namespace

Status Backups::take(db::Database& database, const std::string& name) {
    RETURN_IF_ERROR(kernel::make_directories(directory_, 0700));
    const std::string path = directory_ + "/" + name;
    const std::string unfinished = path + std::string(kUnfinished);
    RETURN_IF_ERROR(remove_unfinished(unfinished));
    const auto copy = [&]() -> Status {
        RETURN_IF_ERROR(database.copy_to(unfinished));
        RETURN_IF_ERROR(db::alter_file(unfinished, kOnItsWay));
        ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_file(unfinished, O_RDONLY));
        if (::fchmod(file.get(), 0600) != 0) {
            return fail_errno("chmod", unfinished);
        }
        RETURN_IF_ERROR(sync(file, unfinished));
        if (::rename(unfinished.c_str(), path.c_str()) != 0) {
            return fail_errno("rename", unfinished);
        }
        ASSIGN_OR_RETURN(const UniqueFd directory, kernel::open_directory(directory_));
        return sync(directory, directory_);
    };
    Status copied = copy();
    if (!copied) {
        (void)remove_unfinished(unfinished); // best effort: the function returns the first error
    }
    return with_context(std::move(copied), "copy the database to '" + path + "'");
}

// Removes copies of a later day than `newest` first: they were made while the clock was wrong.
Status Backups::prune(const std::string& newest) {
    ASSIGN_OR_RETURN(const auto directory, kernel::open_directory(directory_));
    std::vector<std::string> days;
    RETURN_IF_ERROR(kernel::for_each_entry(
        directory.get(), [&](const std::string& name, unsigned char) -> Status {
            if (is_daily(name)) { // other files belong to the operator
                days.push_back(name);
            }
            return {};
        }));
    std::sort(days.begin(), days.end(), [&](const std::string& a, const std::string& b) {
        const bool a_is_ahead = a > newest;
        const bool b_is_ahead = b > newest;
        return a_is_ahead != b_is_ahead ? b_is_ahead : a > b;
    });
    for (std::size_t at = keep_; at < days.size(); ++at) {
        if (::unlinkat(directory.get(), days[at].c_str(), 0) != 0 && errno != ENOENT) {
            return fail_errno("unlink", days[at]);
        }
    }
    return {};
}

Status Backups::take_daily(db::Database& database, std::time_t now) {
    if (keep_ == 0) {
        return {};
    }
    const std::string name = name_of_day(now);
    if (::access((directory_ + "/" + name).c_str(), F_OK) == 0) {
        return {};
    }
    RETURN_IF_ERROR(take(database, name));
    return prune(name);
}

Status Backups::take_before_migration(db::Database& database, int schema) {
    return take(database, "lodge-schema-" + std::to_string(schema) + ".db");
}

DailyBackup::DailyBackup(db::Database& database,
                         Backups backups,
                         std::function<void(const std::string&)> warn)
    : database_(database), backups_(std::move(backups)), warn_(std::move(warn)),
      thread_([this] { run(); }) {}

DailyBackup::~DailyBackup() {
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void DailyBackup::run() {
    std::unique_lock guard(lock_);
    while (!stopping_) {
        guard.unlock();
        const Status taken =
            contained([this] { return backups_.take_daily(database_, ::time(nullptr)); });
        (void)contained([&]() -> Status { // no memory for the message
            if (!taken) {
                warn_(taken.error().to_string() + "; trying again in an hour");
            }
            return {};
        });
        guard.lock();
        (void)changed_.wait_for(guard, kLook, [this] { return stopping_; }); // checked above
    }
}

} // namespace lodge::daemon
