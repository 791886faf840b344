#include "daemon/store/container_rows.hpp"

#include <cstddef>
#include <span>
#include <unordered_map>
#include <utility>

namespace lodge::daemon {

namespace {

using db::Value;

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

Result<model::Container> container_of(const db::Row& row) {
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

Status add_addresses(db::Source& source, model::Container& container) {
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

} // namespace

Result<std::vector<model::Container>> read_containers(db::Source& source,
                                                      const std::string& where,
                                                      const std::vector<db::Value>& values) {
    ASSIGN_OR_RETURN(const auto rows,
                     source.query(std::string("SELECT ") + kColumns + " FROM container " + where +
                                      " ORDER BY name",
                                  values));
    std::vector<model::Container> containers;
    std::unordered_map<std::string, std::size_t> places;
    for (const db::Row& row : rows) {
        ASSIGN_OR_RETURN(model::Container container, container_of(row));
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

// Costs the same however many there are: what asks for one row asks for its addresses alone.
Result<std::optional<model::Container>>
read_container(db::Source& source, const std::string& where, const Value& value) {
    ASSIGN_OR_RETURN(
        const auto rows,
        source.query(std::string("SELECT ") + kColumns + " FROM container WHERE " + where,
                     {value}));
    if (rows.empty()) {
        return std::nullopt;
    }
    ASSIGN_OR_RETURN(model::Container container, container_of(rows[0]));
    RETURN_IF_ERROR(add_addresses(source, container));
    return container;
}

Status insert_container(db::Transaction& transaction,
                        const model::Container& c,
                        const std::string& sealed_key) {
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

} // namespace lodge::daemon
