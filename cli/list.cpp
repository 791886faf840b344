#include "cli/columns.hpp"
#include "cli/filter.hpp"
#include "cli/hints.hpp"
#include "cli/output.hpp"
#include "cli/words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

namespace lodge::cli {

namespace {

using nlohmann::json;

struct ListOptions {
    std::vector<std::string> conditions;
    std::string columns;
    std::string sort;
    std::string format;
};

enum class Format { table, as_json, as_yaml, csv };

Result<Format> parse_format(const std::string& words, bool json_asked) {
    if (words.empty()) {
        return json_asked ? Format::as_json : Format::table;
    }
    constexpr std::array<std::pair<std::string_view, Format>, 4> kFormats{
        {{"table", Format::table},
         {"json", Format::as_json},
         {"yaml", Format::as_yaml},
         {"csv", Format::csv}}};
    for (const auto& [name, format] : kFormats) {
        if (name == words) {
            return !json_asked || format == Format::as_json
                       ? Result<Format>(format)
                       : fail(ErrorCode::invalid_argument,
                              "'" + words + "' and --json exclude each other");
        }
    }
    return fail(ErrorCode::invalid_argument,
                "'" + words + "' is not a format; there are: table, json, yaml, csv");
}

// The request for a list.
struct Listing {
    Filter filter;
    Columns columns; ///< empty: whole containers
    SortBy sort;
    Format format = Format::table;

    [[nodiscard]] bool whole() const { return columns.empty(); }
    [[nodiscard]] std::set<std::string_view> shown_fields() const {
        std::set<std::string_view> fields;
        for (const Column* const column : columns) {
            fields.insert(column->field);
            if (format == Format::table && !column->also_field.empty()) {
                fields.insert(column->also_field);
            }
        }
        return fields;
    }
    // Requests only the fields that are used: for thousands of containers the others would take
    // most of the time.
    [[nodiscard]] std::string query() const {
        std::set<std::string_view> fields = shown_fields();
        fields.merge(filter.fields());
        if (sort.column != nullptr) {
            fields.insert(sort.column->field);
        }
        std::string text;
        if (whole()) {
            if (sort.column == nullptr) {
                return {}; // the answer has all fields that filters need
            }
            text = "all";
        }
        for (const std::string_view field : fields) {
            text.append(text.empty() ? "" : ",").append(field);
        }
        return "?fields=" + text;
    }
};

Result<Listing> read_options(const ListOptions& options, bool json_asked) {
    Listing listing;
    ASSIGN_OR_RETURN(listing.format,
                     of_option(parse_format(options.format, json_asked), "list --format"));
    ASSIGN_OR_RETURN(listing.filter, of_option(Filter::parse(options.conditions), "list --filter"));
    const bool whole = listing.format == Format::as_json || listing.format == Format::as_yaml;
    if (!whole || !options.columns.empty()) {
        ASSIGN_OR_RETURN(listing.columns,
                         of_option(parse_columns(options.columns), "list --columns"));
    }
    ASSIGN_OR_RETURN(listing.sort, of_option(parse_sort(options.sort), "list --sort"));
    return listing;
}

// The fields of each container that are shown, without those that only filter and sort need.
json shown_of(std::vector<json> containers, const Listing& listing) {
    const auto fields = listing.shown_fields();
    json all = json::array();
    for (json& one : containers) {
        if (listing.whole()) {
            all.push_back(std::move(one));
            continue;
        }
        json shown = json::object();
        for (const std::string_view field : fields) {
            if (const auto value = one.find(field); value != one.end()) {
                shown[std::string(field)] = std::move(*value);
            }
        }
        all.push_back(std::move(shown));
    }
    return all;
}

Status print(std::vector<json> containers, const Listing& listing) {
    switch (listing.format) {
    case Format::table:
        print_table(table_of(containers, listing.columns));
        break;
    case Format::as_json:
        print_json(shown_of(std::move(containers), listing));
        break;
    case Format::as_yaml:
        return print_text(yaml_of(shown_of(std::move(containers), listing)));
    case Format::csv:
        return print_text(csv_of(containers, listing.columns));
    }
    return {};
}

Result<int> list(const Globals& globals, const ListOptions& options) {
    ASSIGN_OR_RETURN(const Listing listing, read_options(options, globals.json));
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().call("GET", "/v1/containers" + listing.query()));
    if (listing.format == Format::as_json && listing.whole() && listing.filter.empty() &&
        listing.sort.column == nullptr) {
        RETURN_IF_ERROR(print_list(text)); // unchanged
        return 0;
    }
    ASSIGN_OR_RETURN(json all, parse_answer(text));
    std::vector<json> containers;
    std::copy_if(std::make_move_iterator(all.begin()),
                 std::make_move_iterator(all.end()),
                 std::back_inserter(containers),
                 [&](const json& one) { return listing.filter.admits(one); });
    sort_containers(containers, listing.sort);
    RETURN_IF_ERROR(print(std::move(containers), listing));
    return 0;
}

} // namespace

void add_list_command(const Registry& registry) {
    const Globals& globals = registry.globals;
    const auto options = std::make_shared<ListOptions>();
    CLI::App* command = registry.add(registry.app, "list", "List containers", [&globals, options] {
        return list(globals, *options);
    });
    add_list(*command, "--filter", options->conditions, kFilterHelp);
    command->add_option("--columns", options->columns, "Which, such as name,state,memory");
    command->add_option("--sort", options->sort, "By this column; -COLUMN: the largest first");
    command->add_option("--format", options->format, "table, json, yaml or csv");
}

} // namespace lodge::cli
