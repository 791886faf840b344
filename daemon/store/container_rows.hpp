#pragma once

#include "lib/base/error.hpp"
#include "lib/db/database.hpp"
#include "lib/model/container.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// Conversions between rows of the tables `container`, `volume`, `card` and `address`, and
// containers.
namespace lodge::daemon {

/// NULL for none.
template <typename T>
db::Value optional_integer(const std::optional<T>& number) {
    return number ? db::Value(static_cast<std::int64_t>(*number)) : db::Value(std::monostate{});
}

/// The containers that fulfil `where` ("WHERE ..." or empty), in the order of their names.
/// `source`: the database, or a transaction, in which nothing changes meanwhile.
[[nodiscard]] Result<std::vector<model::Container>>
read_containers(db::Source& source, const std::string& where, const std::vector<db::Value>& values);
/// The container that fulfils `where` with this value.
[[nodiscard]] Result<std::optional<model::Container>>
read_container(db::Source& source, const std::string& where, const db::Value& value);

/// The specification in the form of the column `spec`. Name and template have columns of their own.
/// Keys and requested addresses are not stored, because only the creation uses them.
[[nodiscard]] std::string document_of(const model::ContainerSpec& spec);

/// Inserts an unpublished container with its volumes and cards. Pre: `keys` has one for each of its
/// disks. already_exists when the name, an address or the id range is taken; invalid_state when its
/// template was removed meanwhile.
[[nodiscard]] Status insert_container(db::Transaction& transaction,
                                      const model::Container& container,
                                      const model::SealedKeys& keys);

} // namespace lodge::daemon
