#pragma once

#include "lib/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lodge::cli {

/// One column of `list`, described here and nowhere else; docs/cli.md is held against it.
struct Column {
    std::string_view key;             ///< as --columns and --sort call it
    std::string_view field;           ///< of the API: its value, by which it is sorted
    bool initially = false;           ///< without --columns
    std::string_view also_field = {}; ///< stands behind the value in a table, in parentheses

    /// "memory_limit" is headed "MEMORY LIMIT".
    [[nodiscard]] std::string heading() const;
    /// The value as people read it; "" for none.
    [[nodiscard]] std::string shown(const nlohmann::json& container) const;
    /// The value as programs read it.
    [[nodiscard]] std::string plain(const nlohmann::json& container) const;
};

using Columns = std::vector<const Column*>;

[[nodiscard]] std::span<const Column> all_columns();
/// Of "a,b,c"; those that are shown initially when it is empty. invalid_argument names the columns
/// that there are.
[[nodiscard]] Result<Columns> parse_columns(std::string_view words);

/// "COLUMN", or "-COLUMN" for the largest first; nothing for no order.
struct SortBy {
    const Column* column = nullptr;
    bool descending = false;
};
[[nodiscard]] Result<SortBy> parse_sort(std::string_view words);
/// Numbers by value, texts by their bytes, what has no value last in either direction; what is
/// alike stays in its order.
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
