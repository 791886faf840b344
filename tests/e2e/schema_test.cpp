#include "lib/api/client.hpp"
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/yaml/yaml.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/yaml_child.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <sys/wait.h>

// Answers of a running daemon, held against the schemas of docs/openapi.yaml.
namespace lodge::test {
namespace {

using nlohmann::json;

constexpr const char* kStray = "0123abcd-4567-4abc-8def-0123456789ab"; // a UUID of no container

// As much of a schema as docs/openapi.yaml uses. A field that no schema has is a fault too.
class Schemas {
  public:
    Schemas() {
        const auto text =
            kernel::read_file(LODGE_SOURCE_DIR "/docs/openapi.yaml", std::size_t{1} << 20);
        auto parsed = yaml::parse(text ? *text : "", "openapi.yaml");
        EXPECT_TRUE(parsed);
        if (parsed) {
            document_ = std::move(*parsed);
        }
    }

    void expect(const std::string& name, const json& value) const {
        const yaml::Node& schema = child(child(child(document_, "components"), "schemas"), name);
        ASSERT_EQ(schema.kind, yaml::Node::Kind::mapping) << "there is no schema " << name;
        check(schema, value, name);
    }

  private:
    const yaml::Node& resolve(const yaml::Node& schema) const {
        const std::string& reference = child(schema, "$ref").scalar;
        if (reference.empty()) {
            return schema;
        }
        return child(child(child(document_, "components"), "schemas"),
                     reference.substr(reference.rfind('/') + 1));
    }

    void check(const yaml::Node& unresolved, const json& value, const std::string& where) const {
        const yaml::Node& schema = resolve(unresolved);
        const std::string& type = child(schema, "type").scalar;
        if (value.is_null()) {
            EXPECT_EQ(child(schema, "nullable").scalar, "true") << where << " is null";
            return;
        }
        const bool fits = type == "object"    ? value.is_object()
                          : type == "array"   ? value.is_array()
                          : type == "string"  ? value.is_string()
                          : type == "integer" ? value.is_number_integer()
                                              : type == "boolean" && value.is_boolean();
        EXPECT_TRUE(fits) << where << " is no " << type << ": " << value.dump();
        if (value.is_object()) {
            check_object(schema, value, where);
        }
        if (value.is_array()) {
            for (const json& item : value) {
                check(child(schema, "items"), item, where + "[]");
            }
        }
        if (const auto& allowed = child(schema, "enum").items; !allowed.empty()) {
            bool known = false;
            for (const yaml::Node& item : allowed) {
                known = known || (value.is_string() && value.get<std::string>() == item.scalar);
            }
            EXPECT_TRUE(known) << where << " is " << value.dump();
        }
    }

    void check_object(const yaml::Node& schema, const json& value, const std::string& where) const {
        const yaml::Node& properties = child(schema, "properties");
        const yaml::Node& others = child(schema, "additionalProperties");
        for (const auto& [key, field] : value.items()) {
            const yaml::Node& named = child(properties, key);
            const yaml::Node& property =
                named.kind == yaml::Node::Kind::none && others.kind == yaml::Node::Kind::mapping
                    ? others
                    : named;
            if (property.kind == yaml::Node::Kind::none) {
                ADD_FAILURE() << where << "." << key << " is in no schema";
                continue;
            }
            check(property, field, where + "." + key);
        }
        for (const yaml::Node& required : child(schema, "required").items) {
            EXPECT_TRUE(value.contains(required.scalar)) << where << " lacks " << required.scalar;
        }
    }

    yaml::Node document_;
};

class SchemaTest : public LodgeTest {
  protected:
    json ask(std::vector<std::string> words) const {
        words.emplace_back("--json");
        const CliResult result = host->lodge(words);
        json answer = json::parse(result.out, nullptr, false);
        EXPECT_FALSE(answer.is_discarded()) << words.front() << ": " << result.out << result.err;
        return answer;
    }
    json get(const std::string& path) const {
        const auto text = api::Client(host->socket()).call("GET", path);
        EXPECT_TRUE(text) << path << ": " << text.error().to_string();
        return json::parse(text ? *text : "", nullptr, false);
    }
    void expect_all(const std::string& schema, const json& list) const {
        ASSERT_TRUE(list.is_array() && !list.empty()) << schema;
        for (const json& one : list) {
            schemas.expect(schema, one);
        }
    }

    Schemas schemas;
};

TEST_F(SchemaTest, AnswersAreAsTheOpenApiDocumentSays) {
    schemas.expect("Host", ask({"host", "info"}));
    schemas.expect("Container", ask({"create", "web1", "--template", "tiny", "--disk", "64M"}));
    schemas.expect("Operation", ask({"start", "web1"}));
    schemas.expect("Container", ask({"wait", "web1", "--for", "running"}));
    schemas.expect("Operation", ask({"set", "web1", "--hostname", "renamed"}));
    schemas.expect("Operation", ask({"freeze", "web1"}));
    schemas.expect("Container", ask({"info", "web1"}));
    schemas.expect("Operation", ask({"thaw", "web1"}));
    expect_all("Container", ask({"list"}));
    schemas.expect("Template", ask({"template", "info", "tiny"}));
    expect_all("Template", ask({"template", "list"}));
    expect_all("Definition", ask({"template", "definitions"}));
    ASSERT_EQ(::mkdir((host->directory() + "/state/containers/" + kStray).c_str(), 0700), 0);
    for (const json& check : {ask({"host", "check"}), ask({"host", "check", "--repair"})}) {
        schemas.expect("Check", check);
        EXPECT_EQ(check.at("findings").size(), 1U);
    }
    schemas.expect("Error", ask({"start", "web1"}));
    schemas.expect("Error", ask({"info", "nobody"}));
    schemas.expect("Version", get("/v1/version"));
    EXPECT_TRUE(get("/v1/containers/web1/console-log").at("log").is_string());
    schemas.expect("Operation", ask({"stop", "web1", "--force"}));
    schemas.expect("Operation", ask({"destroy", "web1"}));
    schemas.expect("Operation", ask({"host", "shutdown"}));
    expect_all("Operation", get("/v1/operations"));
}

TEST_F(SchemaTest, EventsAreAsTheOpenApiDocumentSays) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    const pid_t reader = host->lodge_in_background({"events", "--json"});
    // Nothing tells when it has subscribed: things happen until it has seen some.
    const std::string log = host->directory() + "/lodge.log";
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(20)));
    std::string seen;
    const auto saw_all = [&seen] {
        return seen.find("\"stop\"") != std::string::npos &&
               seen.find("\"collect\"") != std::string::npos &&
               seen.find("\"host starts up\"") != std::string::npos;
    };
    while (!saw_all() && !deadline.expired()) {
        EXPECT_EQ(host->lodge({"start", "web1"}).code, 0);
        EXPECT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
        EXPECT_EQ(host->lodge({"start", "web1"}).code, 0);
        EXPECT_EQ(host->lodge({"kill", "web1"}).code, 0);
        EXPECT_EQ(host->lodge({"wait", "web1", "--for", "stopped"}).code, 0);
        EXPECT_EQ(host->lodge({"host", "shutdown"}).code, 0);
        EXPECT_EQ(host->lodge({"host", "startup"}).code, 0);
        seen = kernel::read_file(log, std::size_t{1} << 20).value_or("");
    }
    (void)::kill(reader, SIGTERM);
    (void)::waitpid(reader, nullptr, 0);
    std::istringstream lines(kernel::read_file(log, std::size_t{1} << 20).value_or(""));
    std::set<std::string> kinds;
    for (std::string line; std::getline(lines, line);) {
        const json event = json::parse(line, nullptr, false);
        schemas.expect("Event", event);
        kinds.insert(event.value("kind", ""));
    }
    EXPECT_EQ(kinds, (std::set<std::string>{"container", "daemon", "operation"}));
}

} // namespace
} // namespace lodge::test
