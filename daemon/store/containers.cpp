#include "daemon/store/store.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>

namespace lodge::daemon {

namespace {

using db::Value;

template <typename T>
Value optional_integer(const std::optional<T>& number) {
    return number ? Value(static_cast<std::int64_t>(*number)) : Value(std::monostate{});
}

template <typename T>
std::optional<T> read_optional(const Value& value) {
    return db::is_null(value) ? std::nullopt : std::optional<T>(static_cast<T>(db::integer(value)));
}

constexpr const char* kColumns = "uuid, name, template_name, template_digest, hostname, "
                                 "disk_bytes, memory_bytes, cpu_millis, pids, encryption, "
                                 "rootfs, uid_base, mac_address, state, init_pid, init_start_time, "
                                 "last_exit, broken_why, created_at, started_at, "
                                 "onboot, boot_order, boot_delay, restart, restart_limit, "
                                 "restart_backoff, start_at, resume, restarts, last_error";

std::uint32_t number(const Value& value) {
    return static_cast<std::uint32_t>(db::integer(value));
}

Status read_policies(std::span<const Value> row, model::Container& container) {
    model::ContainerSpec& spec = container.spec;
    ASSIGN_OR_RETURN(spec.boot.onboot, model::parse_onboot(db::text(row[0])));
    spec.boot.order = number(row[1]);
    spec.boot.delay_seconds = number(row[2]);
    ASSIGN_OR_RETURN(spec.restart.when, model::parse_restart(db::text(row[3])));
    spec.restart.limit = number(row[4]);
    spec.restart.backoff_seconds = number(row[5]);
    container.start_at = read_optional<std::int64_t>(row[6]);
    container.resume = db::integer(row[7]) != 0;
    container.restarts = number(row[8]);
    return {};
}

Result<model::Container> read_container(const db::Row& row) {
    model::Container container;
    ASSIGN_OR_RETURN(container.uuid, Uuid::parse(db::text(row[0])));
    model::ContainerSpec& spec = container.spec;
    spec.name = db::text(row[1]);
    spec.template_name = db::text(row[2]);
    container.template_digest = db::text(row[3]);
    spec.hostname = db::text(row[4]);
    spec.disk_bytes = static_cast<std::uint64_t>(db::integer(row[5]));
    spec.resources = {.memory_bytes = read_optional<std::uint64_t>(row[6]),
                      .cpu_millis = read_optional<std::uint32_t>(row[7]),
                      .pids = read_optional<std::uint32_t>(row[8])};
    ASSIGN_OR_RETURN(spec.encryption, model::parse_encryption(db::text(row[9])));
    ASSIGN_OR_RETURN(spec.rootfs, model::parse_rootfs(db::text(row[10])));
    container.uid_base = static_cast<std::uint32_t>(db::integer(row[11]));
    container.mac_address = db::text(row[12]);
    ASSIGN_OR_RETURN(container.state, model::parse_state(db::text(row[13])));
    container.init_pid = read_optional<std::int32_t>(row[14]);
    container.init_start_time = read_optional<std::uint64_t>(row[15]);
    container.last_exit = db::text(row[16]);
    container.broken_why = db::text(row[17]);
    container.created_at = db::integer(row[18]);
    container.started_at = db::integer(row[19]);
    RETURN_IF_ERROR(read_policies(std::span(row).subspan(20), container));
    container.last_error = db::text(row[29]);
    return container;
}

Result<model::CidrAddress> read_address(const Value& address, const Value& prefix) {
    ASSIGN_OR_RETURN(const auto parsed, model::IpAddress::parse(db::text(address)));
    return model::CidrAddress{parsed, static_cast<unsigned>(db::integer(prefix))};
}

// `source`: the database, or a transaction, in which nothing changes meanwhile.
template <typename Source>
Status add_addresses(Source& source, model::Container& container) {
    ASSIGN_OR_RETURN(const auto rows,
                     source.query("SELECT address, prefix FROM address WHERE container = ? "
                                  "ORDER BY address",
                                  {container.uuid.to_string()}));
    for (const db::Row& row : rows) {
        ASSIGN_OR_RETURN(const model::CidrAddress address, read_address(row[0], row[1]));
        container.addresses.push_back(address);
    }
    return {};
}

template <typename Source>
Result<std::vector<model::Container>>
read_containers(Source& source, const std::string& where, const std::vector<Value>& values) {
    ASSIGN_OR_RETURN(const auto rows,
                     source.query(std::string("SELECT ") + kColumns + " FROM container " + where +
                                      " ORDER BY name",
                                  values));
    std::vector<model::Container> containers;
    std::unordered_map<std::string, std::size_t> places;
    for (const db::Row& row : rows) {
        ASSIGN_OR_RETURN(model::Container container, read_container(row));
        places[db::text(row[0])] = containers.size();
        containers.push_back(std::move(container));
    }
    constexpr std::size_t kFew = 16;
    if (containers.size() <= kFew) { // what is to be started now, among many that are not
        for (model::Container& container : containers) {
            RETURN_IF_ERROR(add_addresses(source, container));
        }
        return containers;
    }
    // One query for all addresses, not one per container.
    ASSIGN_OR_RETURN(const auto addresses,
                     source.query("SELECT container, address, prefix FROM address "
                                  "ORDER BY container, address"));
    for (const db::Row& row : addresses) {
        const auto place = places.find(db::text(row[0]));
        if (place != places.end()) {
            ASSIGN_OR_RETURN(const auto address, read_address(row[1], row[2]));
            containers[place->second].addresses.push_back(address);
        }
    }
    return containers;
}

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

Status
insert_row(db::Transaction& transaction, const model::Container& c, const std::string& sealed_key) {
    const model::ContainerSpec& spec = c.spec;
    // Here, where no removal can come between: see TemplateRepository::remove.
    ASSIGN_OR_RETURN(const auto made_of,
                     transaction.query("SELECT 1 FROM template WHERE name = ? AND digest = ?",
                                       {spec.template_name, c.template_digest}));
    if (made_of.empty()) {
        return fail(ErrorCode::invalid_state,
                    "the template '" + spec.template_name + "' was removed meanwhile");
    }
    const auto inserted =
        transaction.execute("INSERT INTO container (uuid, name, template_name, template_digest, "
                            "hostname, disk_bytes, memory_bytes, "
                            "cpu_millis, pids, encryption, rootfs, uid_base, mac_address, "
                            "sealed_key, state, created_at, onboot, boot_order, boot_delay, "
                            "restart, restart_limit, restart_backoff) "
                            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                            {c.uuid.to_string(),
                             spec.name,
                             spec.template_name,
                             c.template_digest,
                             spec.hostname,
                             static_cast<std::int64_t>(spec.disk_bytes),
                             optional_integer(spec.resources.memory_bytes),
                             optional_integer(spec.resources.cpu_millis),
                             optional_integer(spec.resources.pids),
                             std::string(model::to_string(*spec.encryption)),
                             std::string(model::to_string(spec.rootfs)),
                             static_cast<std::int64_t>(c.uid_base),
                             c.mac_address,
                             db::Blob(sealed_key.begin(), sealed_key.end()),
                             std::string(model::to_string(c.state)),
                             c.created_at,
                             std::string(model::to_string(spec.boot.onboot)),
                             std::int64_t{spec.boot.order},
                             std::int64_t{spec.boot.delay_seconds},
                             std::string(model::to_string(spec.restart.when)),
                             std::int64_t{spec.restart.limit},
                             std::int64_t{spec.restart.backoff_seconds}});
    if (!inserted && inserted.error().code() == ErrorCode::already_exists) {
        return fail(ErrorCode::already_exists,
                    "a container called '" + spec.name + "' exists already");
    }
    RETURN_IF_ERROR(inserted);
    for (const model::CidrAddress& address : c.addresses) {
        const auto added = transaction.execute(
            "INSERT INTO address (address, prefix, container) VALUES (?,?,?)",
            {address.address.to_string(), std::int64_t{address.prefix}, c.uuid.to_string()});
        if (!added && added.error().code() == ErrorCode::already_exists) {
            return fail(ErrorCode::already_exists,
                        "the address " + address.address.to_string() + " is in use");
        }
        RETURN_IF_ERROR(added);
    }
    return {};
}

} // namespace

Status ContainerRepository::insert(const model::Container& container,
                                   const std::string& sealed_key) {
    const Status inserted =
        database_.write(db::Durability::host, [&](db::Transaction& transaction) {
            return insert_row(transaction, container, sealed_key);
        });
    const std::lock_guard guard(taking_);
    if (!inserted) {
        taken_.reset(); // it may have come about, or what we know is not so
    } else if (taken_) {
        taken_->add(container.uuid, container.uid_base);
        for (const model::CidrAddress& address : container.addresses) {
            taken_->add(container.uuid, address.address);
        }
    }
    return inserted;
}

Status ContainerRepository::publish(const Uuid& uuid) {
    return database_.write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(transaction.execute("UPDATE container SET published = 1 WHERE uuid = ?",
                                            {uuid.to_string()}));
        return {};
    });
}

Status ContainerRepository::update_state(const model::Container& c, const std::string& boot_id) {
    return database_.write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
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
    return database_.write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(transaction.execute("UPDATE container SET last_error = ? WHERE uuid = ?",
                                            {error, uuid.to_string()}));
        return {};
    });
}

Result<bool> ContainerRepository::plan_start(const model::Container& c,
                                             std::optional<std::int64_t> seen) {
    int changed = 0;
    const Status written =
        database_.write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
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
        database_.write(db::Durability::process, [&](db::Transaction& transaction) -> Status {
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
    return database_.write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
        RETURN_IF_ERROR(transaction.execute("UPDATE container SET hostname = ?, memory_bytes = ?, "
                                            "cpu_millis = ?, pids = ?, onboot = ?, "
                                            "boot_order = ?, boot_delay = ?, restart = ?, "
                                            "restart_limit = ?, restart_backoff = ? WHERE uuid = ?",
                                            {spec.hostname,
                                             optional_integer(spec.resources.memory_bytes),
                                             optional_integer(spec.resources.cpu_millis),
                                             optional_integer(spec.resources.pids),
                                             std::string(model::to_string(spec.boot.onboot)),
                                             std::int64_t{spec.boot.order},
                                             std::int64_t{spec.boot.delay_seconds},
                                             std::string(model::to_string(spec.restart.when)),
                                             std::int64_t{spec.restart.limit},
                                             std::int64_t{spec.restart.backoff_seconds},
                                             uuid.to_string()}));
        return {};
    });
}

Status ContainerRepository::remove(const Uuid& uuid) {
    const Status removed =
        database_.write(db::Durability::host, [&](db::Transaction& transaction) -> Status {
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

// Read with the lock held: whoever inserts or removes meanwhile tells behind us.
Status ContainerRepository::know_taken() {
    if (taken_) {
        return {};
    }
    Taken taken;
    ASSIGN_OR_RETURN(const auto rows, database_.query("SELECT uuid, uid_base FROM container"));
    for (const db::Row& row : rows) {
        ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(db::text(row[0])));
        taken.add(uuid, number(row[1]));
    }
    ASSIGN_OR_RETURN(const auto addresses,
                     database_.query("SELECT container, address FROM address"));
    for (const db::Row& row : addresses) {
        ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(db::text(row[0])));
        ASSIGN_OR_RETURN(const auto address, model::IpAddress::parse(db::text(row[1])));
        taken.add(uuid, address);
    }
    taken_ = std::move(taken);
    return {};
}

Result<std::vector<model::Container>>
ContainerRepository::select(const std::string& where, const std::vector<Value>& values) {
    return read_containers(database_, where, values);
}

// Costs the same however many there are: what asks for one row asks for its addresses alone.
Result<std::optional<model::Container>> ContainerRepository::select_one(const std::string& where,
                                                                        const Value& value) {
    ASSIGN_OR_RETURN(
        const auto rows,
        database_.query(std::string("SELECT ") + kColumns + " FROM container WHERE " + where,
                        {value}));
    if (rows.empty()) {
        return std::nullopt;
    }
    ASSIGN_OR_RETURN(model::Container container, read_container(rows[0]));
    RETURN_IF_ERROR(add_addresses(database_, container));
    return container;
}

Result<std::vector<model::Container>> ContainerRepository::list() {
    return select("WHERE published = 1", {});
}
Result<std::vector<model::Container>> ContainerRepository::planned_starts() {
    // Named, as the planner would rather walk all rows in the order of their names.
    return select("INDEXED BY container_start_at "
                  "WHERE published = 1 AND state = 'stopped' AND start_at IS NOT NULL",
                  {});
}
Result<std::vector<model::Container>> ContainerRepository::list_all() {
    return select("", {});
}

Result<model::Container> ContainerRepository::find(const std::string& name) {
    ASSIGN_OR_RETURN(auto found, select_one("name = ? AND published = 1", name));
    if (!found) {
        return fail(ErrorCode::not_found, "no container is called '" + name + "'");
    }
    return std::move(*found);
}

Result<model::Container> ContainerRepository::find(const Uuid& uuid) {
    ASSIGN_OR_RETURN(auto found, select_one("uuid = ?", uuid.to_string()));
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

Result<std::string> ContainerRepository::sealed_key(const Uuid& uuid) {
    ASSIGN_OR_RETURN(
        const auto rows,
        database_.query("SELECT sealed_key FROM container WHERE uuid = ?", {uuid.to_string()}));
    if (rows.empty()) {
        return fail(ErrorCode::not_found, "no container has the UUID " + uuid.to_string());
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
