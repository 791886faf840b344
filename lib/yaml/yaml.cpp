#include "lib/yaml/yaml.hpp"

#include "lib/base/utf8.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace lodge::yaml {

namespace {

constexpr unsigned kDeepest = 64;
constexpr std::size_t kMostNodes = 100'000;

std::string where(const std::string& file, const YAML::Mark& mark) {
    return file + ":" + std::to_string(mark.line + 1);
}

class Converter {
  public:
    explicit Converter(std::string file) : file_(std::move(file)) {}

    Result<Node> convert(const YAML::Node& from, unsigned depth) {
        Node node{.where = where(file_, from.Mark())};
        if (depth > kDeepest || ++nodes_ > kMostNodes) {
            return refuse(node, "the document nests too deep or is too large");
        }
        switch (from.Type()) {
        case YAML::NodeType::Undefined:
        case YAML::NodeType::Null:
            return node;
        case YAML::NodeType::Scalar:
            node.kind = Node::Kind::scalar;
            node.scalar = from.Scalar();
            if (!is_utf8(node.scalar)) {
                return refuse(node, "this is not UTF-8");
            }
            return node;
        case YAML::NodeType::Sequence:
            node.kind = Node::Kind::list;
            for (const YAML::Node& item : from) {
                ASSIGN_OR_RETURN(Node converted, convert(item, depth + 1));
                node.items.push_back(std::move(converted));
            }
            return node;
        case YAML::NodeType::Map:
            break;
        }
        node.kind = Node::Kind::mapping;
        RETURN_IF_ERROR(convert_entries(from, node, depth));
        return node;
    }

  private:
    Status convert_entries(const YAML::Node& from, Node& node, unsigned depth) {
        for (const auto& entry : from) {
            const Node place{.where = where(file_, entry.first.Mark())};
            if (!entry.first.IsScalar()) {
                return refuse(place, "a key must be a word");
            }
            const std::string& key = entry.first.Scalar();
            const bool seen = std::any_of(node.entries.begin(),
                                          node.entries.end(),
                                          [&](const auto& other) { return other.key == key; });
            if (seen) {
                return refuse(place, "the key '" + key + "' stands here a second time");
            }
            ASSIGN_OR_RETURN(Node value, convert(entry.second, depth + 1));
            value.where = place.where;
            node.entries.push_back({key, std::move(value)});
        }
        return {};
    }

    std::string file_;
    std::size_t nodes_ = 0;
};

} // namespace

Result<Node> parse(std::string_view text, const std::string& file_name) {
    try {
        return Converter(file_name).convert(YAML::Load(std::string(text)), 0);
    } catch (const YAML::Exception& error) {
        return fail(ErrorCode::invalid_argument, where(file_name, error.mark) + ": " + error.msg);
    }
}

std::unexpected<Error> refuse(const Node& node, const std::string& why) {
    return fail(ErrorCode::invalid_argument, node.where + ": " + why);
}

Status read_mapping(const Node& node, const std::map<std::string, Setter>& keys) {
    if (node.kind != Node::Kind::mapping) {
        return refuse(node, "a mapping of keys to values is expected here");
    }
    for (const auto& [key, value] : node.entries) {
        const auto known = keys.find(key);
        if (known == keys.end()) {
            return refuse(value, "unknown key '" + key + "'");
        }
        RETURN_IF_ERROR(known->second(value));
    }
    return {};
}

Setter text(std::string& into) {
    return [&into](const Node& node) -> Status {
        if (node.kind != Node::Kind::scalar) {
            return refuse(node, "one value is expected here");
        }
        into = node.scalar;
        return {};
    };
}

Setter text_list(std::vector<std::string>& into) {
    return [&into](const Node& node) -> Status {
        if (node.kind != Node::Kind::list) {
            return refuse(node, "a list is expected here");
        }
        for (const Node& item : node.items) {
            if (item.kind != Node::Kind::scalar) {
                return refuse(item, "a list of words is expected here");
            }
            into.push_back(item.scalar);
        }
        return {};
    };
}

Setter pairs(std::vector<std::string>& into) {
    return [&into](const Node& node) -> Status {
        for (const auto& [key, value] : node.entries) {
            std::string words;
            RETURN_IF_ERROR(text(words)(value));
            into.push_back(key + "=" + words);
        }
        return {};
    };
}

Setter boolean(bool& into) {
    return [&into](const Node& node) -> Status {
        if (node.kind != Node::Kind::scalar || (node.scalar != "true" && node.scalar != "false")) {
            return refuse(node, "true or false is expected here");
        }
        into = node.scalar == "true";
        return {};
    };
}

} // namespace lodge::yaml
