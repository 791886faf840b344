#include "cli/columns.hpp"

#include "cli/values.hpp"
#include "lib/base/likeness.hpp"
#include "lib/yaml/emit.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace lodge::cli {

namespace {

using nlohmann::json;

// The value of a field; nullptr when the field is absent or null.
const json* value_at(const json& container, std::string_view field) {
    const auto found = container.find(field);
    return found == container.end() || found->is_null() ? nullptr : &*found;
}

constexpr std::array kColumns{
    Column{"name", "name", true},
    Column{"state", "state", true, "busy_with"},
    Column{"addresses", "addresses", true},
    Column{"template", "template", true},
    Column{"disk", "disk_bytes", true},
    Column{"encryption", "encryption", true},
    Column{"memory", "memory_used_bytes"},
    Column{"memory_limit", "memory_bytes"},
    Column{"cpu", "cpu_used_ms"},
    Column{"cpus", "cpu_millis"},
    Column{"processes", "processes"},
    Column{"pids", "pids"},
    Column{"uptime", "uptime_seconds"},
    Column{"labels", "labels"},
    Column{"description", "description"},
    Column{"hostname", "hostname"},
    Column{"uuid", "uuid"},
    Column{"pid", "pid"},
    Column{"card", "card"},
    Column{"rootfs", "rootfs"},
    Column{"protect", "protect"},
    Column{"onboot", "onboot"},
    Column{"bootorder", "bootorder"},
    Column{"restart", "restart"},
    Column{"restarts", "restarts"},
    Column{"created", "created_at"},
    Column{"started", "started_at"},
    Column{"last_exit", "last_exit"},
    Column{"last_error", "last_error"},
};

Result<const Column*> find_column(std::string_view key) {
    const auto* const found = std::ranges::find(kColumns, key, &Column::key);
    if (found != kColumns.end()) {
        return found;
    }
    std::string listed;
    std::vector<std::string> known;
    for (const Column& one : kColumns) {
        listed.append(listed.empty() ? "" : ", ").append(one.key);
        known.emplace_back(one.key);
    }
    const std::string meant = did_you_mean(key, known);
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(key) + "' is not a column" +
                    (meant.empty() ? "; there are: " + listed : meant));
}

// A field with one of these characters is in quotes (RFC 4180, 2.6).
std::string csv_field(const std::string& text) {
    if (text.find_first_of("\",\r\n") == std::string::npos) {
        return text;
    }
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c == '"' ? "\"\"" : std::string(1, c);
    }
    return quoted + '"';
}

yaml::Node node_of(const json& value) { // NOLINT(misc-no-recursion): as deep as an answer is
    yaml::Node node;
    if (value.is_object()) {
        node.kind = yaml::Node::Kind::mapping;
        for (const auto& [key, item] : value.items()) {
            node.entries.push_back({key, node_of(item)});
        }
    } else if (value.is_array()) {
        node.kind = yaml::Node::Kind::list;
        for (const json& item : value) {
            node.items.push_back(node_of(item));
        }
    } else if (!value.is_null()) {
        node.kind = yaml::Node::Kind::scalar;
        node.bare = !value.is_string();
        node.scalar = value.is_string() ? value.get<std::string>() : value.dump();
    }
    return node;
}

} // namespace

std::string Column::heading() const {
    std::string text;
    for (const char c : key) {
        text += c == '_' ? ' ' : static_cast<char>(c & ~0x20);
    }
    return text;
}

std::string Column::shown(const json& container) const {
    const auto cell = [&](std::string_view of) {
        const json* const value = value_at(container, of);
        return value == nullptr ? std::string() : cell_of(of, *value);
    };
    const std::string also = also_field.empty() ? "" : cell(also_field);
    return cell(field) + (also.empty() ? "" : " (" + also + ")");
}

std::string Column::plain(const json& container) const {
    const json* const value = value_at(container, field);
    return value == nullptr ? "" : cell_of("", *value);
}

std::span<const Column> all_columns() {
    return kColumns;
}

Result<Columns> parse_columns(std::string_view words) {
    Columns columns;
    if (words.empty()) {
        for (const Column& one : kColumns) {
            if (one.initially) {
                columns.push_back(&one);
            }
        }
        return columns;
    }
    while (true) {
        const std::size_t comma = words.find(',');
        ASSIGN_OR_RETURN(const Column* const one, find_column(words.substr(0, comma)));
        columns.push_back(one);
        if (comma == std::string_view::npos) {
            return columns;
        }
        words.remove_prefix(comma + 1);
    }
}

Result<SortBy> parse_sort(std::string_view words) {
    SortBy by;
    if (words.empty()) {
        return by;
    }
    by.descending = words.front() == '-';
    ASSIGN_OR_RETURN(by.column, find_column(words.substr(by.descending ? 1 : 0)));
    return by;
}

void sort_containers(std::vector<json>& containers, const SortBy& by) {
    if (by.column == nullptr) {
        return;
    }
    const auto before = [&](const json& one, const json& other) {
        const json* const left = value_at(one, by.column->field);
        const json* const right = value_at(other, by.column->field);
        if (left == nullptr || right == nullptr) {
            return left != nullptr && right == nullptr;
        }
        return by.descending ? *right < *left : *left < *right;
    };
    std::stable_sort(containers.begin(), containers.end(), before);
}

std::vector<std::vector<std::string>> table_of(const std::vector<json>& containers,
                                               const Columns& columns) {
    std::vector<std::vector<std::string>> rows;
    rows.reserve(containers.size() + 1);
    std::vector<std::string>& headings = rows.emplace_back();
    for (const Column* const column : columns) {
        headings.push_back(column->heading());
    }
    for (const json& container : containers) {
        std::vector<std::string>& row = rows.emplace_back();
        for (const Column* const column : columns) {
            row.push_back(column->shown(container));
        }
    }
    return rows;
}

std::string csv_of(const std::vector<json>& containers, const Columns& columns) {
    constexpr const char* kEnd = "\r\n";
    std::string text;
    const auto add_line = [&](const auto& field_of) {
        std::string line;
        for (const Column* const column : columns) {
            line += "," + csv_field(field_of(*column));
        }
        // A single empty field would give an empty line, which many readers skip.
        text += (line == "," ? "\"\"" : line.substr(1)) + kEnd;
    };
    add_line([](const Column& column) { return std::string(column.key); });
    for (const json& container : containers) {
        add_line([&](const Column& column) { return column.plain(container); });
    }
    return text;
}

std::string yaml_of(const json& value) {
    return yaml::emit(node_of(value));
}

} // namespace lodge::cli
