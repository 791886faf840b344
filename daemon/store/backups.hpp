#pragma once

#include "lib/base/error.hpp"
#include "lib/db/database.hpp"

#include <condition_variable>
#include <ctime>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace lodge::daemon {

/// Copies of the database in a directory of their own: lodge-YYYYMMDD.db, one a day (UTC), and
/// lodge-schema-N.db, as it was before schema N was left. Each is a database as it is: whole,
/// sound, without a log beside it, and not there at all until it is. Nothing is in it of what was
/// on its way: no operation, and no container that is not published. Not thread-safe.
class Backups {
  public:
    /// `keep`: how many daily copies stay; 0: none is made.
    Backups(std::string directory, unsigned keep) : directory_(std::move(directory)), keep_(keep) {}

    /// Makes the copy of the day that `now` is in, unless there is one, and removes the oldest
    /// beyond those kept, before them those of a later day, which a wrong clock made. Waits for no
    /// writer and holds none up.
    [[nodiscard]] Status take_daily(db::Database& database, std::time_t now);
    /// Before a migration; in place of an earlier copy of that schema. Never removed by us.
    [[nodiscard]] Status take_before_migration(db::Database& database, int schema);

  private:
    [[nodiscard]] Status take(db::Database& database, const std::string& name);
    [[nodiscard]] Status prune(const std::string& newest);

    std::string directory_;
    unsigned keep_;
};

/// Takes the daily copy in a thread of its own: at once when today's is missing, then looks every
/// hour. Ends in the destructor.
class DailyBackup {
  public:
    DailyBackup(db::Database& database,
                Backups backups,
                std::function<void(const std::string&)> warn);
    ~DailyBackup();
    DailyBackup(const DailyBackup&) = delete;
    DailyBackup& operator=(const DailyBackup&) = delete;

  private:
    void run();

    db::Database& database_;
    Backups backups_;
    std::function<void(const std::string&)> warn_;
    std::mutex lock_; ///< protects stopping_
    std::condition_variable changed_;
    bool stopping_ = false;
    std::thread thread_; ///< last: it uses all of the above
};

} // namespace lodge::daemon
