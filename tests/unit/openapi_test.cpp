#include "lib/kernel/fs.hpp"
#include "lib/yaml/yaml.hpp"
#include "tests/support/yaml_child.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

// docs/openapi.yaml held against the OpenAPI Specification 3.0.3, as a strict validator does: the
// fields that each object may have and must have, of which type. Fields that we do not use are left
// out of the table; whoever needs one adds it.
namespace lodge {
namespace {

using test::child;
using yaml::Node;

// A field's type: "text", "flag", "number", "any"; an object of the table; "[T]", a list of T;
// "{T}", a mapping of names to T; "T?", a reference in its place.
struct Object {
    std::map<std::string, std::string> fields;
    std::vector<std::string> required;
};

const std::map<std::string, Object>& objects() {
    static const std::map<std::string, Object> table{
        {"document",
         {{{"openapi", "text"},
           {"info", "info"},
           {"servers", "[server]"},
           {"paths", "{path}"},
           {"components", "components"}},
          {"openapi", "info", "paths"}}},
        {"info",
         {{{"title", "text"}, {"description", "text"}, {"version", "text"}}, {"title", "version"}}},
        {"server", {{{"url", "text"}, {"description", "text"}}, {"url"}}},
        {"path",
         {{{"parameters", "[parameter?]"},
           {"get", "operation"},
           {"put", "operation"},
           {"post", "operation"},
           {"patch", "operation"},
           {"delete", "operation"}},
          {}}},
        {"operation",
         {{{"summary", "text"},
           {"description", "text"},
           {"operationId", "text"},
           {"parameters", "[parameter?]"},
           {"requestBody", "body?"},
           {"responses", "{response?}"}},
          {"operationId", "responses"}}},
        {"parameter",
         {{{"name", "text"},
           {"in", "text"},
           {"description", "text"},
           {"required", "flag"},
           {"schema", "schema?"}},
          {"name", "in", "schema"}}},
        {"body",
         {{{"description", "text"}, {"required", "flag"}, {"content", "{media}"}}, {"content"}}},
        {"response", {{{"description", "text"}, {"content", "{media}"}}, {"description"}}},
        {"media", {{{"schema", "schema?"}}, {"schema"}}},
        {"components",
         {{{"schemas", "{schema?}"},
           {"responses", "{response?}"},
           {"parameters", "{parameter?}"},
           {"requestBodies", "{body?}"}},
          {}}},
        {"schema",
         {{{"type", "text"},       {"format", "text"},          {"description", "text"},
           {"enum", "[any]"},      {"default", "any"},          {"example", "any"},
           {"nullable", "flag"},   {"pattern", "text"},         {"minimum", "number"},
           {"maximum", "number"},  {"minLength", "number"},     {"maxLength", "number"},
           {"minItems", "number"}, {"maxItems", "number"},      {"minProperties", "number"},
           {"required", "[text]"}, {"properties", "{schema?}"}, {"additionalProperties", "others"},
           {"items", "schema?"},   {"oneOf", "[schema?]"}},
          {}}}};
    return table;
}

// What is wrong, a sentence each.
class Judge {
  public:
    void check(const Node& node, const std::string& type, const std::string& where) {
        if (type.starts_with('[')) {
            expect(node.kind == Node::Kind::list, where, "is no list");
            for (const Node& item : node.items) {
                check(item, type.substr(1, type.size() - 2), where + "[]");
            }
        } else if (type.starts_with('{')) {
            expect(node.kind == Node::Kind::mapping, where, "is no mapping");
            for (const auto& [key, value] : node.entries) {
                check(value, type.substr(1, type.size() - 2), where + "/" + key);
            }
        } else if (type.ends_with('?')) {
            check_or_reference(node, type.substr(0, type.size() - 1), where);
        } else if (type == "others") { // whether there may be any, or what each is
            check(node, node.kind == Node::Kind::mapping ? "schema?" : "flag", where);
        } else if (objects().contains(type)) {
            check_object(node, type, where);
        } else {
            check_scalar(node, type, where);
        }
    }

    std::vector<std::string> faults;

  private:
    void expect(bool good, const std::string& where, const std::string& fault) {
        if (!good) {
            faults.push_back(where + " " + fault);
        }
    }

    void check_or_reference(const Node& node, const std::string& type, const std::string& where) {
        if (child(node, "$ref").kind == Node::Kind::none) {
            check(node, type, where);
            return;
        }
        expect(node.entries.size() == 1, where, "has something beside $ref");
    }

    void check_object(const Node& node, const std::string& type, const std::string& where) {
        expect(node.kind == Node::Kind::mapping, where, "is no " + type);
        const Object& object = objects().at(type);
        for (const auto& [key, value] : node.entries) {
            const auto field = object.fields.find(key);
            if (field == object.fields.end()) {
                expect(false, where, "has a field '" + key + "', which a " + type + " has not");
                continue;
            }
            check(value, field->second, where + "/" + key);
        }
        for (const std::string& key : object.required) {
            expect(child(node, key).kind != Node::Kind::none, where, "lacks " + key);
        }
        if (type == "schema") {
            check_schema(node, where);
        } else if (type == "parameter") {
            check_parameter(node, where);
        } else if (type == "operation") {
            const std::string& id = child(node, "operationId").scalar;
            expect(ids_.insert(id).second, where, "has the operationId of another: " + id);
        }
    }

    void check_scalar(const Node& node, const std::string& type, const std::string& where) {
        expect(type == "any" || node.kind == Node::Kind::scalar, where, "is no " + type);
        if (type == "flag") {
            expect(node.scalar == "true" || node.scalar == "false", where, "is no boolean");
        } else if (type == "number") {
            expect(!node.scalar.empty() &&
                       node.scalar.find_first_not_of("0123456789") == std::string::npos,
                   where,
                   "is no number");
        } else if (type == "text") {
            expect(!node.scalar.empty(), where, "is empty");
        }
    }

    void check_schema(const Node& node, const std::string& where) {
        static const std::set<std::string> types{
            "array", "boolean", "integer", "number", "object", "string"};
        const std::string& type = child(node, "type").scalar;
        const bool choice = child(node, "oneOf").kind != Node::Kind::none;
        expect(choice ? type.empty() : types.contains(type),
               where,
               "is of no type, or a choice and of one: '" + type + "'");
        expect((type == "array") == (child(node, "items").kind != Node::Kind::none),
               where,
               "is an array without items, or has items and is none");
        for (const Node& name : child(node, "required").items) {
            expect(child(child(node, "properties"), name.scalar).kind != Node::Kind::none,
                   where,
                   "requires '" + name.scalar + "', which it does not describe");
        }
        const std::string& preset = child(node, "default").scalar;
        const auto& allowed = child(node, "enum").items;
        expect(preset.empty() || allowed.empty() ||
                   std::any_of(allowed.begin(),
                               allowed.end(),
                               [&](const Node& item) { return item.scalar == preset; }),
               where,
               "has a default that its enum has not");
        expect(preset.empty() || type != "boolean" || preset == "true" || preset == "false",
               where,
               "has a default that is no boolean");
    }

    void check_parameter(const Node& node, const std::string& where) {
        static const std::set<std::string> places{"query", "header", "path", "cookie"};
        const std::string& in = child(node, "in").scalar;
        expect(places.contains(in), where, "is in no place: '" + in + "'");
        expect(in != "path" || child(node, "required").scalar == "true",
               where,
               "is of the path and not required");
    }

    std::set<std::string> ids_;
};

std::vector<std::string> faults_of(const std::string& text) {
    const auto document = yaml::parse(text, "openapi.yaml");
    if (!document) {
        return {document.error().message()};
    }
    Judge judge;
    judge.check(*document, "document", "");
    return judge.faults;
}

std::string shipped_document() {
    return kernel::read_file(LODGE_SOURCE_DIR "/docs/openapi.yaml", std::size_t{1} << 20)
        .value_or("");
}

TEST(OpenApi, IsValidForAStrictValidator) {
    EXPECT_EQ(faults_of(shipped_document()), std::vector<std::string>{});
}

// The name in every {} of a path is a parameter of it, and the other way round.
TEST(OpenApi, DescribesEveryNameInAPath) {
    const auto document = yaml::parse(shipped_document(), "openapi.yaml");
    ASSERT_TRUE(document);
    const Node& components = child(child(*document, "components"), "parameters");
    for (const auto& [path, item] : child(*document, "paths").entries) {
        std::set<std::string> described;
        for (const Node& parameter : child(item, "parameters").items) {
            const std::string& reference = child(parameter, "$ref").scalar;
            const Node& target = child(components, reference.substr(reference.rfind('/') + 1));
            if (child(target, "in").scalar == "path") {
                described.insert(child(target, "name").scalar);
            }
        }
        std::set<std::string> named;
        for (std::size_t at = path.find('{'); at != std::string::npos;
             at = path.find('{', at + 1)) {
            named.insert(path.substr(at + 1, path.find('}', at) - at - 1));
        }
        EXPECT_EQ(named, described) << path;
    }
}

// The judge sees what once stood there, and its like.
TEST(OpenApi, SeesWhatIsWrong) {
    const auto one_fault = [](const std::string& good, const std::string& bad) {
        std::string text = shipped_document();
        const std::size_t at = text.find(good);
        EXPECT_NE(at, std::string::npos) << good;
        text.replace(at, good.size(), bad);
        EXPECT_EQ(faults_of(text).size(), 1U) << bad;
    };
    one_fault("description: \"The system's error number behind it, or 0\"",
              "description: The system's error number behind it, or 0");
    one_fault("description: A sentence for a person", "descripton: A sentence for a person");
    one_fault("operationId: hostInfo", "operationId: version");
    one_fault("minimum: 67108864", "minimum: 64M");
    one_fault("type: boolean, default: false", "type: boolean, default: no way");
    one_fault("{type: string, format: byte}", "{type: byte}");
    one_fault("      oneOf:\n", "      type: object\n      oneOf:\n");
    one_fault("in: query", "in: body");
    one_fault("required: [version, api]", "required: [version, apis]");
}

} // namespace
} // namespace lodge
