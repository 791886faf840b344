#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace lodge::db {

using Blob = std::vector<unsigned char>;
/// NULL, INTEGER, TEXT or BLOB.
using Value = std::variant<std::monostate, std::int64_t, std::string, Blob>;
/// One row of a result, in the order of its columns.
using Row = std::vector<Value>;

[[nodiscard]] std::int64_t integer(const Value& value); ///< 0 for anything but an INTEGER
[[nodiscard]] std::string text(const Value& value);     ///< "" for anything but TEXT
[[nodiscard]] Blob blob(const Value& value);            ///< empty for anything but a BLOB
[[nodiscard]] bool is_null(const Value& value);

/// The event that a committed transaction survives after write() has returned.
enum class Durability {
    process, ///< a kill of the daemon (no fsync: a power cut may lose it, never corrupt it)
    host,    ///< a power cut (fsync of the log)
};

/// A source of rows: the database or a transaction.
class Source {
  public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;
    [[nodiscard]] virtual Result<std::vector<Row>> query(const std::string& sql,
                                                         const std::vector<Value>& values = {}) = 0;
};

/// Inside a transaction.
class Transaction : public Source {
  public:
    /// Returns the number of changed rows. already_exists when a UNIQUE or PRIMARY KEY constraint
    /// is violated.
    [[nodiscard]] virtual Result<int> execute(const std::string& sql,
                                              const std::vector<Value>& values = {}) = 0;
};

/// A SQLite database in WAL mode: one writer at a time, readers that never wait for it.
/// Thread-safe.
class Database : public Source {
  public:
    /// Runs `body` in one transaction: committed when it succeeds, rolled back when it fails.
    [[nodiscard]] virtual Status write(Durability durability,
                                       const std::function<Status(Transaction&)>& body) = 0;
    /// Copies the committed state into the new file `path`, a complete database without a log.
    /// Neither waits for a writer nor delays one.
    [[nodiscard]] virtual Status copy_to(const std::string& path) = 0;
    /// Moves the whole log into the file and empties the log. Deleted data is then in neither (its
    /// bytes are overwritten in the file). busy when a reader keeps an older state open all the
    /// time. Waits for the disk and delays writers meanwhile.
    [[nodiscard]] virtual Status empty_log() = 0;
    /// For tests: called before each statement, which fails with the returned error.
    virtual void set_fault_hook(std::function<Status()> hook) = 0;
};

/// Runs `statements` in one transaction, in a database that nobody else has open, such as a copy.
/// Deleted data is overwritten.
[[nodiscard]] Status alter_file(const std::string& path, std::span<const char* const> statements);

/// Called before a database is migrated from schema `from`. If it returns an error, open_database()
/// returns that error and changes nothing.
using BeforeMigration = std::function<Status(Database& database, int from)>;

/// Opens or creates a database. It applies `migrations` in order, each in a transaction of its own,
/// and keeps their number in user_version. unsupported when the file has had more migrations (a
/// newer release made it); corrupt when the file is damaged or no database.
[[nodiscard]] Result<std::unique_ptr<Database>>
open_database(const std::string& path,
              std::span<const char* const> migrations,
              const BeforeMigration& before = {});

} // namespace lodge::db
