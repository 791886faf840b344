#include "daemon/store/store.hpp"

namespace lodge::daemon {

Status OperationLog::begin(const LoggedOperation& operation) {
    return database_.write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(
            transaction.execute("DELETE FROM operation WHERE resource = ?", {operation.resource}));
        RETURN_IF_ERROR(transaction.execute(
            "INSERT INTO operation (id, verb, resource, arguments, boot_id) VALUES (?,?,?,?,?)",
            {operation.id.to_string(),
             operation.verb,
             operation.resource,
             operation.arguments,
             operation.boot_id}));
        return {};
    });
}

Status OperationLog::intend(const Uuid& id, const StepId& step) {
    return database_.write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(
            transaction.execute("INSERT INTO step (operation, name, object) VALUES (?,?,?)",
                                {id.to_string(), step.name, step.object}));
        return {};
    });
}

Status OperationLog::end(const Uuid& id) {
    return database_.write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(
            transaction.execute("DELETE FROM operation WHERE id = ?", {id.to_string()}));
        return {};
    });
}

Result<std::vector<LoggedOperation>> OperationLog::unfinished() {
    ASSIGN_OR_RETURN(
        const auto rows,
        database_.query(
            "SELECT id, verb, resource, arguments, boot_id FROM operation ORDER BY rowid"));
    std::vector<LoggedOperation> operations;
    for (const db::Row& row : rows) {
        LoggedOperation operation{.verb = db::text(row[1]),
                                  .resource = db::text(row[2]),
                                  .arguments = db::text(row[3]),
                                  .boot_id = db::text(row[4])};
        operation.id = Uuid::parse(db::text(row[0])).value_or(Uuid{});
        ASSIGN_OR_RETURN(
            const auto steps,
            database_.query("SELECT name, object FROM step WHERE operation = ? ORDER BY sequence",
                            {row[0]}));
        for (const db::Row& step : steps) {
            operation.intended.push_back({db::text(step[0]), db::text(step[1])});
        }
        operations.push_back(std::move(operation));
    }
    return operations;
}

} // namespace lodge::daemon
