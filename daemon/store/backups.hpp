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

/// Copies of the database in a directory of their own: lodge-YYYYMMDD.db, one per day (UTC), and
/// lodge-schema-N.db, the state before a migration from schema N. Each is a complete database
/// without a log, and appears in its directory only when it is complete. It has no operation and no
/// unpublished container. Not thread-safe.
class Backups {
  public:
    /// `keep`: the number of daily copies to keep; 0: makes none.
    Backups(std::string directory, unsigned keep) : directory_(std::move(directory)), keep_(keep) {}

    /// Makes the copy of the day of `now`, unless it exists, and removes the surplus: first the
    /// copies of a later day, which a wrong clock made, then the oldest. It waits for no writer and
    /// delays none.
    [[nodiscard]] Status take_daily(db::Database& database, std::time_t now);
    /// Makes a copy before a migration and replaces an earlier copy of that schema. Lodge never
    /// removes it.
    [[nodiscard]] Status take_before_migration(db::Database& database, int schema);

  private:
    [[nodiscard]] Status take(db::Database& database, const std::string& name);
    [[nodiscard]] Status prune(const std::string& newest);

    std::string directory_;
    unsigned keep_;
};

/// Takes the daily copy in a thread of its own: at once when today's is missing, then checks every
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
