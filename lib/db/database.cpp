#include "lib/db/database.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <mutex>
#include <utility>

#include <sqlite3.h>

namespace lodge::db {

namespace {

std::unexpected<Error> from_exception(const SQLite::Exception& error, const std::string& path) {
    ErrorCode code = ErrorCode::internal;
    switch (error.getErrorCode()) {
    case SQLITE_CONSTRAINT:
        code = ErrorCode::already_exists;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        code = ErrorCode::corrupt;
        break;
    case SQLITE_FULL:
        code = ErrorCode::no_space;
        break;
    case SQLITE_NOMEM:
        code = ErrorCode::resource_exhausted;
        break;
    case SQLITE_IOERR:
        // The index of the log (-shm) cannot grow. SQLite does not report SQLITE_FULL for this
        // file.
        code = error.getExtendedErrorCode() == SQLITE_IOERR_SHMSIZE ? ErrorCode::no_space
                                                                    : ErrorCode::kernel;
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
        code = ErrorCode::kernel;
        break;
    default:
        break;
    }
    return fail(code, "the database '" + path + "': " + error.what());
}

// Exceptions of SQLiteCpp end here.
template <typename T, typename Body>
Result<T> guarded(const std::string& path, const Body& body) {
    try {
        return body();
    } catch (const SQLite::Exception& error) {
        return from_exception(error, path);
    }
}

void bind(SQLite::Statement& statement, const std::vector<Value>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        const int at = static_cast<int>(i) + 1;
        if (const auto* number = std::get_if<std::int64_t>(&values[i])) {
            statement.bind(at, *number);
        } else if (const auto* words = std::get_if<std::string>(&values[i])) {
            statement.bind(at, *words);
        } else if (const auto* bytes = std::get_if<Blob>(&values[i])) {
            statement.bind(at, bytes->data(), static_cast<int>(bytes->size()));
        } else {
            statement.bind(at);
        }
    }
}

Row read_row(SQLite::Statement& statement) {
    const int columns = statement.getColumnCount();
    Row row;
    row.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) {
        const SQLite::Column column = statement.getColumn(i);
        if (column.isInteger()) {
            row.emplace_back(column.getInt64());
        } else if (column.isText()) {
            row.emplace_back(column.getString());
        } else if (column.isBlob()) {
            const auto* bytes = static_cast<const unsigned char*>(column.getBlob());
            row.emplace_back(Blob(bytes, bytes + column.getBytes()));
        } else {
            row.emplace_back(std::monostate{});
        }
    }
    return row;
}

Result<std::vector<Row>>
run_query(SQLite::Database& database, const std::string& sql, const std::vector<Value>& values) {
    return guarded<std::vector<Row>>(database.getFilename(), [&] {
        SQLite::Statement statement(database, sql);
        bind(statement, values);
        std::vector<Row> rows;
        while (statement.executeStep()) {
            rows.push_back(read_row(statement));
        }
        return rows;
    });
}

class OpenTransaction final : public Transaction {
  public:
    OpenTransaction(SQLite::Database& database, const std::function<Status()>& fault_hook)
        : database_(database), fault_hook_(fault_hook) {}

    Result<int> execute(const std::string& sql, const std::vector<Value>& values) override {
        RETURN_IF_ERROR(fault_hook_ ? fault_hook_() : Status{});
        return guarded<int>(database_.getFilename(), [&] {
            SQLite::Statement statement(database_, sql);
            bind(statement, values);
            return statement.exec();
        });
    }
    Result<std::vector<Row>> query(const std::string& sql,
                                   const std::vector<Value>& values) override {
        return run_query(database_, sql, values);
    }

  private:
    SQLite::Database& database_;
    const std::function<Status()>& fault_hook_;
};

constexpr int kBusyMilliseconds = 5000;

class WalDatabase final : public Database {
  public:
    explicit WalDatabase(const std::string& path)
        : path_(path), writer_(path,
                               SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX,
                               kBusyMilliseconds) {
        writer_.exec("PRAGMA journal_mode=WAL");
        writer_.exec("PRAGMA foreign_keys=ON");
        // The deletion of a wrapped key destroys the data under it, so the bytes of the key must be
        // overwritten too. Debian's SQLite has this as its default; other builds do not.
        writer_.exec("PRAGMA secure_delete=ON");
        reader_ =
            std::make_unique<SQLite::Database>(path,
                                               SQLite::OPEN_READONLY | SQLite::OPEN_NOMUTEX,
                                               kBusyMilliseconds); // the mutexes below protect it
    }

    Status write(Durability durability, const std::function<Status(Transaction&)>& body) override {
        const std::lock_guard guard(writing_);
        return guarded<void>(path_, [&]() -> Status {
            writer_.exec(durability == Durability::host ? "PRAGMA synchronous=FULL"
                                                        : "PRAGMA synchronous=NORMAL");
            SQLite::Transaction transaction(writer_); // rolls back unless committed
            OpenTransaction open(writer_, fault_hook_);
            RETURN_IF_ERROR(body(open));
            transaction.commit();
            return {};
        });
    }

    Result<std::vector<Row>> query(const std::string& sql,
                                   const std::vector<Value>& values) override {
        const std::lock_guard guard(reading_);
        return run_query(*reader_, sql, values);
    }

    Status copy_to(const std::string& path) override {
        return guarded<void>(path_, [&]() -> Status {
            // A connection of its own: a reader for which no writer waits.
            SQLite::Database source(path_, SQLite::OPEN_READONLY, kBusyMilliseconds);
            SQLite::Statement copy(source, "VACUUM INTO ?");
            copy.bind(1, path);
            (void)copy.exec(); // no rows: a failure is an exception
            return {};
        });
    }

    Status empty_log() override {
        const std::lock_guard guard(writing_);
        return guarded<void>(path_, [&]() -> Status {
            // The first column of the answer: 1 when the checkpoint was blocked.
            const bool busy = writer_.execAndGet("PRAGMA wal_checkpoint(TRUNCATE)").getInt() != 0;
            return busy ? fail(ErrorCode::busy,
                               "the log of the database '" + path_ + "' is being read")
                        : Status{};
        });
    }

    void set_fault_hook(std::function<Status()> hook) override {
        const std::lock_guard guard(writing_);
        fault_hook_ = std::move(hook);
    }

    Status migrate(const std::string& path,
                   std::span<const char* const> migrations,
                   const BeforeMigration& before) {
        const auto applied = writer_.execAndGet("PRAGMA user_version").getInt();
        if (applied > static_cast<int>(migrations.size())) {
            return fail(ErrorCode::unsupported,
                        "the database '" + path + "' was made by a newer release (schema " +
                            std::to_string(applied) + ", this one knows " +
                            std::to_string(migrations.size()) + "); use that release");
        }
        if (before && applied > 0 && applied < static_cast<int>(migrations.size())) {
            RETURN_IF_ERROR(before(*this, applied));
        }
        for (std::size_t next = static_cast<std::size_t>(applied); next < migrations.size();
             ++next) {
            SQLite::Transaction transaction(writer_);
            writer_.exec(migrations[next]);
            writer_.exec("PRAGMA user_version=" + std::to_string(next + 1));
            transaction.commit();
        }
        return {};
    }

    Status check(const std::string& path) {
        const std::string verdict = writer_.execAndGet("PRAGMA quick_check(1)").getString();
        if (verdict != "ok") {
            return fail(ErrorCode::corrupt, "the database '" + path + "' is damaged: " + verdict);
        }
        return {};
    }

  private:
    const std::string path_;
    std::mutex writing_; ///< protects writer_ and fault_hook_
    SQLite::Database writer_;
    std::function<Status()> fault_hook_;
    std::mutex reading_; ///< protects reader_; never held together with writing_
    std::unique_ptr<SQLite::Database> reader_;
};

} // namespace

std::int64_t integer(const Value& value) {
    const auto* number = std::get_if<std::int64_t>(&value);
    return number != nullptr ? *number : 0;
}

std::string text(const Value& value) {
    const auto* words = std::get_if<std::string>(&value);
    return words != nullptr ? *words : std::string();
}

Blob blob(const Value& value) {
    const auto* bytes = std::get_if<Blob>(&value);
    return bytes != nullptr ? *bytes : Blob();
}

bool is_null(const Value& value) {
    return std::holds_alternative<std::monostate>(value);
}

Status alter_file(const std::string& path, std::span<const char* const> statements) {
    return guarded<void>(path, [&]() -> Status {
        SQLite::Database file(path, SQLite::OPEN_READWRITE, kBusyMilliseconds);
        file.exec("PRAGMA foreign_keys=ON");
        file.exec("PRAGMA secure_delete=ON");
        SQLite::Transaction transaction(file);
        for (const char* statement : statements) {
            file.exec(statement);
        }
        transaction.commit();
        return {};
    });
}

Result<std::unique_ptr<Database>> open_database(const std::string& path,
                                                std::span<const char* const> migrations,
                                                const BeforeMigration& before) {
    auto opened =
        guarded<std::unique_ptr<Database>>(path, [&]() -> Result<std::unique_ptr<Database>> {
            auto database = std::make_unique<WalDatabase>(path);
            RETURN_IF_ERROR(database->check(path));
            RETURN_IF_ERROR(database->migrate(path, migrations, before));
            return database;
        });
    return with_context(std::move(opened), "open the database '" + path + "'");
}

} // namespace lodge::db
