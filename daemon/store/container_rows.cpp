#include "daemon/store/container_rows.hpp"

#include "lib/api/json.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace lodge::daemon {

namespace {

using db::Value;

template <typename T>
std::optional<T> read_optional(const Value& value) {
    return db::is_null(value) ? std::nullopt : std::optional<T>(static_cast<T>(db::integer(value)));
}

constexpr const char* kColumns =
    "uuid, spec, template_digest, uid_base, mac_address, state, init_pid, "
    "init_start_time, last_exit, broken_why, created_at, "
    "started_at, start_at, resume, restarts, last_error, name, template_name";

Result<model::Container> container_of(const db::Row& row) {
    model::Container container;
    ASSIGN_OR_RETURN(container.uuid, Uuid::parse(db::text(row[0])));
    const auto spec = nlohmann::json::parse(db::text(row[1]), nullptr, false);
    ASSIGN_OR_RETURN(container.spec, api::unjudged_spec_from_json(spec));
    container.spec.name = db::text(row[16]);
    container.spec.template_name = db::text(row[17]);
    container.template_digest = db::text(row[2]);
    container.uid_base = static_cast<std::uint32_t>(db::integer(row[3]));
    container.mac_address = db::text(row[4]);
    ASSIGN_OR_RETURN(container.state, model::parse_state(db::text(row[5])));
    container.init_pid = read_optional<std::int32_t>(row[6]);
    container.init_start_time = read_optional<std::uint64_t>(row[7]);
    container.last_exit = db::text(row[8]);
    container.broken_why = db::text(row[9]);
    container.created_at = db::integer(row[10]);
    container.started_at = db::integer(row[11]);
    container.start_at = read_optional<std::int64_t>(row[12]);
    container.resume = db::integer(row[13]) != 0;
    container.restarts = static_cast<std::uint32_t>(db::integer(row[14]));
    container.last_error = db::text(row[15]);
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

std::string document_of(const model::ContainerSpec& spec) {
    nlohmann::json document = api::to_json(spec);
    for (const char* kept_elsewhere : {"name", "template", "addresses", "ssh_keys"}) {
        document.erase(kept_elsewhere);
    }
    return api::to_text(document);
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
    const auto inserted = transaction.execute(
        "INSERT INTO container (uuid, name, template_name, template_digest, spec, uid_base, "
        "mac_address, sealed_key, state, created_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
        {c.uuid.to_string(),
         spec.name,
         spec.template_name,
         c.template_digest,
         document_of(spec),
         static_cast<std::int64_t>(c.uid_base),
         c.mac_address,
         db::Blob(sealed_key.begin(), sealed_key.end()),
         std::string(model::to_string(c.state)),
         c.created_at});
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
