#include "daemon/store/store.hpp"
#include "lib/base/likeness.hpp"

namespace lodge::daemon {

namespace {

constexpr const char* kSelect =
    "SELECT name, digest, bytes, init, halt_signal, ready, source, created_at FROM template ";

templates::Template read_template(const db::Row& row) {
    return {.name = db::text(row[0]),
            .digest = db::text(row[1]),
            .bytes = static_cast<std::uint64_t>(db::integer(row[2])),
            .init = db::text(row[3]),
            .halt_signal = db::text(row[4]),
            .ready = db::text(row[5]),
            .source = db::text(row[6]),
            .created_at = db::integer(row[7])};
}

} // namespace

Status TemplateRepository::put(const templates::Template& made) {
    return database_.write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(transaction.execute("INSERT OR REPLACE INTO template (name, digest, bytes, "
                                            "init, halt_signal, ready, source, created_at) "
                                            "VALUES (?,?,?,?,?,?,?,?)",
                                            {made.name,
                                             made.digest,
                                             static_cast<std::int64_t>(made.bytes),
                                             made.init,
                                             made.halt_signal,
                                             made.ready,
                                             made.source,
                                             made.created_at}));
        return {};
    });
}

Status TemplateRepository::remove(const std::string& name, const std::string& digest) {
    return database_.write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
        ASSIGN_OR_RETURN(
            const auto users,
            transaction.query(
                "SELECT name FROM container WHERE template_digest = ? ORDER BY name LIMIT 1",
                {digest}));
        if (!users.empty()) {
            return fail(ErrorCode::busy,
                        "the template '" + name + "' is in use by '" + db::text(users[0][0]) +
                            "', perhaps by others too; destroy them first");
        }
        RETURN_IF_ERROR(transaction.execute("DELETE FROM template WHERE name = ?", {name}));
        return {};
    });
}

Result<std::vector<templates::Template>> TemplateRepository::list() {
    ASSIGN_OR_RETURN(const auto rows, database_.query(std::string(kSelect) + "ORDER BY name"));
    std::vector<templates::Template> all;
    for (const db::Row& row : rows) {
        all.push_back(read_template(row));
    }
    return all;
}

Result<templates::Template> TemplateRepository::find(const std::string& name) {
    ASSIGN_OR_RETURN(const auto rows,
                     database_.query(std::string(kSelect) + "WHERE name = ?", {name}));
    if (rows.empty()) {
        ASSIGN_OR_RETURN(const auto known, database_.query("SELECT name FROM template"));
        std::vector<std::string> names;
        for (const db::Row& row : known) {
            names.push_back(db::text(row[0]));
        }
        std::string advice = did_you_mean(name, names);
        if (advice.empty()) {
            advice = "; see `lodge template list`, or build it with `lodge template build`";
        }
        return fail(ErrorCode::not_found, "no template is called '" + name + "'" + advice);
    }
    return read_template(rows[0]);
}

} // namespace lodge::daemon
