#include "daemon/store/container_rows.hpp"
#include "daemon/store/store.hpp"
#include "lib/base/likeness.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace lodge::daemon {

namespace {

using db::Value;

Result<std::vector<ContainerRepository::BootRow>> read_boot_rows(db::Transaction& transaction) {
    ASSIGN_OR_RETURN(auto containers, read_containers(transaction, "WHERE published = 1", {}));
    ASSIGN_OR_RETURN(
        const auto boots,
        transaction.query("SELECT boot_id FROM container WHERE published = 1 ORDER BY name"));
    std::vector<ContainerRepository::BootRow> rows;
    for (std::size_t at = 0; at < containers.size(); ++at) {
        rows.push_back({std::move(containers[at]), db::text(boots.at(at)[0])});
    }
    return rows;
}

} // namespace

Status ContainerRepository::write(db::Durability durability,
                                  const std::function<Status(db::Transaction&)>& body) {
    const decltype(list_)::Change change(list_);
    return database_.write(durability, body);
}

Status ContainerRepository::insert(const model::Container& container,
                                   const model::SealedKeys& keys) {
    const Status inserted = write(db::Durability::host, [&](db::Transaction& transaction) {
        return insert_container(transaction, container, keys);
    });
    const std::lock_guard guard(taking_);
    if (!inserted) {
        taken_.reset(); // it may be inserted, or the cache is wrong
    } else if (taken_) {
        taken_->add(container.uuid, container.uid_base);
        for (const model::CidrAddress& address : container.addresses()) {
            taken_->add(container.uuid, address.address);
        }
    }
    return inserted;
}

Status ContainerRepository::publish(const Uuid& uuid) {
    return write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(transaction.execute("UPDATE container SET published = 1 WHERE uuid = ?",
                                            {uuid.to_string()}));
        return {};
    });
}

Status ContainerRepository::update_state(const model::Container& c, const std::string& boot_id) {
    return write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(
            transaction.execute("UPDATE container SET state = ?, init_pid = ?, "
                                "init_start_time = ?, last_exit = ?, broken_why = ?, "
                                "started_at = ?, start_at = ?, resume = ?, "
                                "restarts = ?, last_error = ?, boot_id = ? WHERE uuid = ?",
                                {std::string(model::to_string(c.state)),
                                 optional_integer(c.init_pid),
                                 optional_integer(c.init_start_time),
                                 c.last_exit,
                                 c.broken_why,
                                 c.started_at,
                                 optional_integer(c.start_at),
                                 std::int64_t{c.resume},
                                 std::int64_t{c.restarts},
                                 c.last_error,
                                 boot_id,
                                 c.uuid.to_string()}));
        return {};
    });
}

Status ContainerRepository::note_error(const Uuid& uuid, const std::string& error) {
    return write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(transaction.execute("UPDATE container SET last_error = ? WHERE uuid = ?",
                                            {error, uuid.to_string()}));
        return {};
    });
}

Result<bool> ContainerRepository::plan_start(const model::Container& c,
                                             std::optional<std::int64_t> seen) {
    int changed = 0;
    const Status written =
        write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
            ASSIGN_OR_RETURN(changed,
                             transaction.execute("UPDATE container SET start_at = ?, restarts = ? "
                                                 "WHERE uuid = ? AND state = 'stopped' AND "
                                                 "start_at IS ?",
                                                 {optional_integer(c.start_at),
                                                  std::int64_t{c.restarts},
                                                  c.uuid.to_string(),
                                                  optional_integer(seen)}));
            return {};
        });
    RETURN_IF_ERROR(written);
    return changed == 1;
}

Result<std::size_t> ContainerRepository::enter_boot(const std::string& boot_id,
                                                    const ChooseStarts& choose) {
    std::size_t planned = 0;
    const Status written =
        write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
            ASSIGN_OR_RETURN(auto rows, read_boot_rows(transaction));
            const std::vector<PlannedStart> starts = choose(std::move(rows));
            RETURN_IF_ERROR(transaction.execute("UPDATE container SET start_at = NULL, resume = 0 "
                                                "WHERE start_at IS NOT NULL OR resume <> 0"));
            for (const PlannedStart& start : starts) {
                RETURN_IF_ERROR(
                    transaction.execute("UPDATE container SET start_at = ? WHERE uuid = ?",
                                        {start.at, start.container.to_string()}));
            }
            planned = starts.size();
            RETURN_IF_ERROR(transaction.execute(
                "INSERT OR REPLACE INTO host (one, boot_id) VALUES (1, ?)", {boot_id}));
            return {};
        });
    RETURN_IF_ERROR(written);
    return planned;
}

Result<bool> ContainerRepository::comes_up(const Uuid& uuid) {
    ASSIGN_OR_RETURN(const auto rows,
                     database_.query("SELECT 1 FROM container WHERE uuid = ? AND (state <> "
                                     "'stopped' OR resume <> 0 OR start_at IS NOT NULL)",
                                     {uuid.to_string()}));
    return !rows.empty();
}

Result<std::string> ContainerRepository::entered_boot() {
    ASSIGN_OR_RETURN(const auto rows, database_.query("SELECT boot_id FROM host"));
    return rows.empty() ? std::string() : db::text(rows[0][0]);
}

Status ContainerRepository::update_spec(const Uuid& uuid, const model::ContainerSpec& spec) {
    return write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(transaction.execute("UPDATE container SET spec = ? WHERE uuid = ?",
                                            {document_of(spec), uuid.to_string()}));
        return {};
    });
}

Status ContainerRepository::remove(const Uuid& uuid) {
    const Status removed = write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(
            transaction.execute("DELETE FROM container WHERE uuid = ?", {uuid.to_string()}));
        return {};
    });
    std::function<void()> act;
    {
        const std::lock_guard guard(taking_);
        if (!removed) {
            taken_.reset();
        } else if (taken_) {
            taken_->remove(uuid);
        }
        act = on_remove_;
    }
    if (act) {
        act();
    }
    return removed;
}

void ContainerRepository::on_remove(std::function<void()> act) {
    const std::lock_guard guard(taking_);
    on_remove_ = std::move(act);
}

void ContainerRepository::Taken::add(const Uuid& uuid, std::uint32_t uid_base) {
    owners[uuid] = uid_base;
    uid_bases.insert(uid_base);
}

void ContainerRepository::Taken::add(const Uuid& uuid, const model::IpAddress& address) {
    if (addresses.insert(address).second) {
        addresses_of[uuid].push_back(address);
    }
}

void ContainerRepository::Taken::remove(const Uuid& uuid) {
    if (const auto owner = owners.find(uuid); owner != owners.end()) {
        uid_bases.erase(owner->second);
        owners.erase(owner);
    }
    if (const auto own = addresses_of.find(uuid); own != addresses_of.end()) {
        for (const model::IpAddress& address : own->second) {
            addresses.erase(address);
        }
        addresses_of.erase(own);
    }
}

// Reads with the lock held: an insert or removal meanwhile updates the values afterwards.
Status ContainerRepository::know_taken() {
    if (taken_) {
        return {};
    }
    Taken taken;
    ASSIGN_OR_RETURN(const auto rows, database_.query("SELECT uuid, uid_base FROM container"));
    for (const db::Row& row : rows) {
        ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(db::text(row[0])));
        taken.add(uuid, static_cast<std::uint32_t>(db::integer(row[1])));
    }
    ASSIGN_OR_RETURN(
        const auto addresses,
        database_.query(
            "SELECT container, address FROM address JOIN card ON card.uuid = address.card"));
    for (const db::Row& row : addresses) {
        ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(db::text(row[0])));
        ASSIGN_OR_RETURN(const auto address, model::IpAddress::parse(db::text(row[1])));
        taken.add(uuid, address);
    }
    taken_ = std::move(taken);
    return {};
}

Result<std::vector<model::Container>> ContainerRepository::list() {
    return list_.get([&] { return read_containers(database_, "WHERE published = 1", {}); });
}
Result<std::vector<model::Container>> ContainerRepository::planned_starts() {
    // INDEXED BY, because the planner would walk all rows in the order of their names.
    return read_containers(database_,
                           "INDEXED BY container_start_at "
                           "WHERE published = 1 AND state = 'stopped' AND start_at IS NOT NULL",
                           {});
}
Result<std::vector<model::Container>> ContainerRepository::list_all() {
    return read_containers(database_, "", {});
}

Result<model::Container> ContainerRepository::find(const std::string& name) {
    ASSIGN_OR_RETURN(auto found, read_container(database_, "name = ? AND published = 1", name));
    if (!found) {
        ASSIGN_OR_RETURN(const auto known, list());
        std::vector<std::string> names;
        for (const model::Container& one : known) {
            names.push_back(one.spec.name);
        }
        return fail(ErrorCode::not_found,
                    "no container is called '" + name + "'" + did_you_mean(name, names));
    }
    return std::move(*found);
}

Result<model::Container> ContainerRepository::find(const Uuid& uuid) {
    ASSIGN_OR_RETURN(auto found, read_container(database_, "uuid = ?", uuid.to_string()));
    if (!found) {
        return fail(ErrorCode::not_found, "no container has the UUID " + uuid.to_string());
    }
    return std::move(*found);
}

Result<bool> ContainerRepository::is_published(const Uuid& uuid) {
    ASSIGN_OR_RETURN(const auto rows,
                     database_.query("SELECT 1 FROM container WHERE uuid = ? AND published = 1",
                                     {uuid.to_string()}));
    return !rows.empty();
}

Result<std::optional<model::State>> ContainerRepository::state(const Uuid& uuid) {
    ASSIGN_OR_RETURN(
        const auto rows,
        database_.query("SELECT state FROM container WHERE uuid = ?", {uuid.to_string()}));
    if (rows.empty()) {
        return std::nullopt;
    }
    ASSIGN_OR_RETURN(const model::State state, model::parse_state(db::text(rows[0][0])));
    return state;
}

Result<std::string> ContainerRepository::sealed_key(const Uuid& volume) {
    ASSIGN_OR_RETURN(
        const auto rows,
        database_.query("SELECT sealed_key FROM volume WHERE uuid = ?", {volume.to_string()}));
    if (rows.empty()) {
        return fail(ErrorCode::not_found, "no volume has the UUID " + volume.to_string());
    }
    const db::Blob bytes = db::blob(rows[0][0]);
    return std::string(bytes.begin(), bytes.end());
}

Result<std::map<Uuid, ContainerRepository::Mark>> ContainerRepository::marks() {
    ASSIGN_OR_RETURN(const auto rows,
                     database_.query("SELECT uuid, published, boot_id FROM container"));
    std::map<Uuid, Mark> marks;
    for (const db::Row& row : rows) {
        ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(db::text(row[0])));
        marks[uuid] = {.published = db::integer(row[1]) != 0, .boot_id = db::text(row[2])};
    }
    return marks;
}

Result<std::vector<model::IpAddress>> ContainerRepository::used_addresses() {
    const std::lock_guard guard(taking_);
    RETURN_IF_ERROR(know_taken());
    return std::vector<model::IpAddress>(taken_->addresses.begin(), taken_->addresses.end());
}

Result<std::vector<std::uint32_t>> ContainerRepository::used_uid_bases() {
    const std::lock_guard guard(taking_);
    RETURN_IF_ERROR(know_taken());
    return std::vector<std::uint32_t>(taken_->uid_bases.begin(), taken_->uid_bases.end());
}

Result<bool> ContainerRepository::uses_template(const std::string& digest) {
    ASSIGN_OR_RETURN(
        const auto rows,
        database_.query("SELECT 1 FROM container WHERE template_digest = ? LIMIT 1", {digest}));
    return !rows.empty();
}

} // namespace lodge::daemon
