#pragma once

#include "lib/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lodge::cli {

/// One column of `list`. This is its only description; a test compares docs/cli.md with it.
struct Column {
    std::string_view key;             ///< its name for --columns and --sort
    std::string_view field;           ///< the API's field with its value, also for --sort
    bool initially = false;           ///< shown without --columns
    std::string_view also_field = {}; ///< in a table: in parentheses behind the value

    /// The heading of "memory_limit" is "MEMORY LIMIT".
    [[nodiscard]] std::string heading() const;
    /// The value in the form for people; "" for none.
    [[nodiscard]] std::string shown(const nlohmann::json& container) const;
    /// The value in the form for programs.
    [[nodiscard]] std::string plain(const nlohmann::json& container) const;
};

using Columns = std::vector<const Column*>;

[[nodiscard]] std::span<const Column> all_columns();
/// The columns of "a,b,c"; for an empty text those with `initially`. The invalid_argument for an
/// unknown column lists the known ones.
[[nodiscard]] Result<Columns> parse_columns(std::string_view words);

/// "COLUMN", or "-COLUMN" for the largest first; nothing for no order.
struct SortBy {
    const Column* column = nullptr;
    bool descending = false;
};
[[nodiscard]] Result<SortBy> parse_sort(std::string_view words);
/// Sorts numbers by value and texts by their bytes. Containers without a value are last in both
/// directions. The sort is stable.
void sort_containers(std::vector<nlohmann::json>& containers, const SortBy& by);

/// The rows of a table, the headings first.
[[nodiscard]] std::vector<std::vector<std::string>>
table_of(const std::vector<nlohmann::json>& containers, const Columns& columns);
/// RFC 4180, with the columns' keys as the header.
[[nodiscard]] std::string csv_of(const std::vector<nlohmann::json>& containers,
                                 const Columns& columns);
/// Any JSON as a document of YAML.
[[nodiscard]] std::string yaml_of(const nlohmann::json& value);

} // namespace lodge::cli
