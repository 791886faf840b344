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
    "uuid, spec, template_digest, uid_base, state, init_pid, "
    "init_start_time, last_exit, broken_why, created_at, "
    "started_at, start_at, resume, restarts, last_error, name, template_name";

Result<model::Container> container_of(const db::Row& row) {
    model::Container container;
    ASSIGN_OR_RETURN(container.uuid, Uuid::parse(db::text(row[0])));
    const auto spec = nlohmann::json::parse(db::text(row[1]), nullptr, false);
    ASSIGN_OR_RETURN(container.spec, api::unjudged_spec_from_json(spec));
    container.spec.name = db::text(row[15]);
    container.spec.template_name = db::text(row[16]);
    container.template_digest = db::text(row[2]);
    container.uid_base = static_cast<std::uint32_t>(db::integer(row[3]));
    ASSIGN_OR_RETURN(container.state, model::parse_state(db::text(row[4])));
    container.init_pid = read_optional<std::int32_t>(row[5]);
    container.init_start_time = read_optional<std::uint64_t>(row[6]);
    container.last_exit = db::text(row[7]);
    container.broken_why = db::text(row[8]);
    container.created_at = db::integer(row[9]);
    container.started_at = db::integer(row[10]);
    container.start_at = read_optional<std::int64_t>(row[11]);
    container.resume = db::integer(row[12]) != 0;
    container.restarts = static_cast<std::uint32_t>(db::integer(row[13]));
    container.last_error = db::text(row[14]);
    return container;
}

Result<model::CidrAddress> read_address(const Value& address, const Value& prefix) {
    ASSIGN_OR_RETURN(const auto parsed, model::IpAddress::parse(db::text(address)));
    return model::CidrAddress{parsed, static_cast<unsigned>(db::integer(prefix))};
}

constexpr const char* kDisks = "SELECT container, uuid, slot FROM volume ";
constexpr const char* kCards = "SELECT container, uuid, slot, mac_address, address, prefix "
                               "FROM card LEFT JOIN address ON address.card = card.uuid ";

Status add_disk(const db::Row& row, model::Container& container) {
    ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(db::text(row[1])));
    container.disks.push_back(
        {.uuid = uuid, .slot = static_cast<std::uint32_t>(db::integer(row[2]))});
    return {};
}

// Adds a row of the query: it has one row for each address of a card, and one row for a card
// without addresses.
Status add_card(const db::Row& row, model::Container& container) {
    ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(db::text(row[1])));
    if (container.cards.empty() || container.cards.back().uuid != uuid) {
        container.cards.push_back({.uuid = uuid,
                                   .slot = static_cast<std::uint32_t>(db::integer(row[2])),
                                   .mac_address = db::text(row[3]),
                                   .addresses = {}});
    }
    if (!db::is_null(row[4])) {
        ASSIGN_OR_RETURN(const model::CidrAddress address, read_address(row[4], row[5]));
        container.cards.back().addresses.push_back(address);
    }
    return {};
}

// Every row has a root volume. A row without one was removed between the queries.
bool is_removed(const model::Container& container) {
    return container.disks.empty();
}

Status add_parts(db::Source& source, model::Container& container) {
    const std::vector<Value> uuid{container.uuid.to_string()};
    ASSIGN_OR_RETURN(const auto disks,
                     source.query(std::string(kDisks) + "WHERE container = ? ORDER BY slot", uuid));
    for (const db::Row& row : disks) {
        RETURN_IF_ERROR(add_disk(row, container));
    }
    ASSIGN_OR_RETURN(
        const auto cards,
        source.query(std::string(kCards) + "WHERE container = ? ORDER BY slot, address", uuid));
    for (const db::Row& row : cards) {
        RETURN_IF_ERROR(add_card(row, container));
    }
    return {};
}

// One query for all disks and one for all cards, not two per container.
Status add_all_parts(db::Source& source, std::vector<model::Container>& containers) {
    std::unordered_map<std::string, model::Container*> by_uuid;
    for (model::Container& container : containers) {
        by_uuid[container.uuid.to_string()] = &container;
    }
    const auto add_each = [&](const std::string& query, auto&& add) -> Status {
        ASSIGN_OR_RETURN(const auto rows, source.query(query));
        for (const db::Row& row : rows) {
            if (const auto owner = by_uuid.find(db::text(row[0])); owner != by_uuid.end()) {
                RETURN_IF_ERROR(add(row, *owner->second));
            }
        }
        return {};
    };
    RETURN_IF_ERROR(add_each(std::string(kDisks) + "ORDER BY container, slot", add_disk));
    return add_each(std::string(kCards) + "ORDER BY container, slot, address", add_card);
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
    for (const db::Row& row : rows) {
        ASSIGN_OR_RETURN(model::Container container, container_of(row));
        containers.push_back(std::move(container));
    }
    constexpr std::size_t kFew = 16;
    if (containers.size() > kFew) {
        RETURN_IF_ERROR(add_all_parts(source, containers));
    } else {
        for (model::Container& container : containers) { // a few of many, such as planned starts
            RETURN_IF_ERROR(add_parts(source, container));
        }
    }
    std::erase_if(containers, is_removed);
    return containers;
}

// Reads only the parts of the one row, so that the cost does not grow with the number of
// containers.
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
    RETURN_IF_ERROR(add_parts(source, container));
    return is_removed(container) ? std::nullopt : std::optional(std::move(container));
}

std::string document_of(const model::ContainerSpec& spec) {
    nlohmann::json document = api::to_json(spec);
    for (const char* kept_elsewhere : {"name", "template", "addresses", "ssh_keys"}) {
        document.erase(kept_elsewhere);
    }
    return api::to_text(document);
}

Status insert_parts(db::Transaction& transaction,
                    const model::Container& c,
                    const model::SealedKeys& keys) {
    const std::string owner = c.uuid.to_string();
    for (const model::Disk& disk : c.disks) {
        const std::string& key = keys.at(disk.uuid);
        RETURN_IF_ERROR(transaction.execute(
            "INSERT INTO volume (uuid, container, slot, sealed_key) VALUES (?,?,?,?)",
            {disk.uuid.to_string(),
             owner,
             std::int64_t{disk.slot},
             db::Blob(key.begin(), key.end())}));
    }
    for (const model::Card& card : c.cards) {
        RETURN_IF_ERROR(transaction.execute(
            "INSERT INTO card (uuid, container, slot, mac_address) VALUES (?,?,?,?)",
            {card.uuid.to_string(), owner, std::int64_t{card.slot}, card.mac_address}));
        for (const model::CidrAddress& address : card.addresses) {
            const auto added = transaction.execute(
                "INSERT INTO address (address, prefix, card) VALUES (?,?,?)",
                {address.address.to_string(), std::int64_t{address.prefix}, card.uuid.to_string()});
            if (!added && added.error().code() == ErrorCode::already_exists) {
                return fail(ErrorCode::already_exists,
                            "the address " + address.address.to_string() + " is in use");
            }
            RETURN_IF_ERROR(added);
        }
    }
    return {};
}

Status insert_container(db::Transaction& transaction,
                        const model::Container& c,
                        const model::SealedKeys& keys) {
    const model::ContainerSpec& spec = c.spec;
    // Checked in the transaction, so that no removal comes between: see
    // TemplateRepository::remove().
    ASSIGN_OR_RETURN(const auto made_of,
                     transaction.query("SELECT 1 FROM template WHERE name = ? AND digest = ?",
                                       {spec.template_name, c.template_digest}));
    if (made_of.empty()) {
        return fail(ErrorCode::invalid_state,
                    "the template '" + spec.template_name + "' was removed meanwhile");
    }
    const auto inserted = transaction.execute(
        "INSERT INTO container (uuid, name, template_name, template_digest, spec, uid_base, "
        "state, created_at) VALUES (?,?,?,?,?,?,?,?)",
        {c.uuid.to_string(),
         spec.name,
         spec.template_name,
         c.template_digest,
         document_of(spec),
         static_cast<std::int64_t>(c.uid_base),
         std::string(model::to_string(c.state)),
         c.created_at});
    if (!inserted && inserted.error().code() == ErrorCode::already_exists) {
        return fail(ErrorCode::already_exists,
                    "a container called '" + spec.name + "' exists already");
    }
    RETURN_IF_ERROR(inserted);
    return insert_parts(transaction, c, keys);
}

} // namespace lodge::daemon
