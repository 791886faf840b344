#pragma once

#include "lib/base/error.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lodge::yaml {

struct Entry;

/// A parsed YAML value: aliases are resolved and every scalar is a text. It has its line for
/// errors.
struct Node {
    enum class Kind { none, scalar, list, mapping };
    Kind kind = Kind::none;
    std::string scalar;
    std::vector<Node> items;
    std::vector<Entry> entries; ///< of a mapping, in the order of the file
    std::string where;          ///< "file.yaml:12"
    bool bare = false;          ///< for emit(): a scalar that is a number, true or false
};

/// One key of a mapping.
struct Entry {
    std::string key;
    Node value;
};

/// Parses one document. invalid_argument, with file and line, for bad YAML, a key that is not a
/// scalar, a key that a mapping has twice, more than 64 levels, or more than 100,000 values
/// (aliases multiply values). Pure.
[[nodiscard]] Result<Node> parse(std::string_view text, const std::string& file_name);

/// "file:line: why".
[[nodiscard]] std::unexpected<Error> refuse(const Node& node, const std::string& why);

using Setter = std::function<Status(const Node&)>;
/// Passes each entry of a mapping to its setter. Refuses a key without a setter, with its line.
[[nodiscard]] Status read_mapping(const Node& node, const std::map<std::string, Setter>& keys);

/// Setters of the usual kinds; they keep a reference to their target.
[[nodiscard]] Setter text(std::string& into);
[[nodiscard]] Setter text_list(std::vector<std::string>& into);
/// A mapping of scalars; each becomes "KEY=VALUE".
[[nodiscard]] Setter pairs(std::vector<std::string>& into);
[[nodiscard]] Setter boolean(bool& into);
/// A text that `parse` converts; an error of `parse` gets the line.
template <typename T, typename Parse>
[[nodiscard]] Setter parsed(T& into, Parse parse_text) {
    return [&into, parse_text](const Node& node) -> Status {
        std::string words;
        RETURN_IF_ERROR(text(words)(node));
        auto value = parse_text(words);
        if (!value) {
            return refuse(node, value.error().message());
        }
        into = std::move(*value);
        return {};
    };
}

} // namespace lodge::yaml
