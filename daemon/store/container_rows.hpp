#pragma once

#include "lib/base/error.hpp"
#include "lib/db/database.hpp"
#include "lib/model/container.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// Rows of the tables `container`, `volume`, `card` and `address` as containers, and back.
namespace lodge::daemon {

/// NULL for none.
template <typename T>
db::Value optional_integer(const std::optional<T>& number) {
    return number ? db::Value(static_cast<std::int64_t>(*number)) : db::Value(std::monostate{});
}

/// Those that `where` leaves ("WHERE ..." or nothing), in the order of their names. `source`: the
/// database, or a transaction, in which nothing changes meanwhile.
[[nodiscard]] Result<std::vector<model::Container>>
read_containers(db::Source& source, const std::string& where, const std::vector<db::Value>& values);
/// The one of which `where` is true with this value.
[[nodiscard]] Result<std::optional<model::Container>>
read_container(db::Source& source, const std::string& where, const db::Value& value);

/// The specification as the column `spec` has it. Name and template have columns of their own;
/// keys and wished addresses were used up when the container was made.
[[nodiscard]] std::string document_of(const model::ContainerSpec& spec);

/// Unpublished, with its volumes and cards. Pre: `keys` has one for each of its disks.
/// already_exists when the name, an address or the id range is taken; invalid_state when its
/// template was removed meanwhile.
[[nodiscard]] Status insert_container(db::Transaction& transaction,
                                      const model::Container& container,
                                      const model::SealedKeys& keys);

} // namespace lodge::daemon
