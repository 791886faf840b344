#include "cli/exit_code.hpp"
#include "daemon/api/routes.hpp"
#include "lib/api/json.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/yaml/yaml.hpp"
#include "tests/support/yaml_child.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <sstream>
#include <string>
#include <vector>

// What the documents say of codes, keys and routes, held against the code.
namespace lodge {
namespace {

std::string read_document(const std::string& path) {
    const auto text =
        kernel::read_file(std::string(LODGE_SOURCE_DIR) + "/" + path, std::size_t{1} << 20);
    EXPECT_TRUE(text) << path;
    return text ? *text : "";
}

std::vector<ErrorCode> all_codes() {
    std::vector<ErrorCode> codes;
    for (std::uint16_t number = 1; number <= 1000; ++number) {
        const auto code = static_cast<ErrorCode>(number);
        if (error_code_from_string(to_string(code)) == code) {
            codes.push_back(code);
        }
    }
    return codes;
}

// Those that the daemon tells: of its own absence only a client can.
std::vector<ErrorCode> codes_of_the_api() {
    std::vector<ErrorCode> codes = all_codes();
    std::erase(codes, ErrorCode::unreachable);
    return codes;
}

bool has_row(const std::string& document, const std::string& row) {
    return document.find("\n| " + row + " |") != std::string::npos;
}

TEST(Documents, ExitCodesAreThoseOfTheCommandLine) {
    const std::string document = read_document("docs/exit-codes.md");
    ASSERT_EQ(all_codes().size(), 16U);
    std::set<int> exits;
    for (const ErrorCode code : all_codes()) {
        const int exit = cli::exit_code_of(Error(code, ""));
        EXPECT_TRUE(exits.insert(exit).second) << exit;
        EXPECT_TRUE(
            has_row(document, std::to_string(exit) + " | `" + std::string(to_string(code)) + "`"))
            << to_string(code) << " " << exit;
    }
}

TEST(Documents, StatusesAreThoseOfTheDaemon) {
    const std::string document = read_document("docs/api.md");
    for (const ErrorCode code : codes_of_the_api()) {
        EXPECT_TRUE(has_row(document,
                            "`" + std::string(to_string(code)) + "` | " +
                                std::to_string(api::http_status(code))))
            << to_string(code);
    }
}

// Keys of etc/lodge.yaml, "network.bridge" and the like.
std::set<std::string> configuration_keys() {
    std::set<std::string> keys;
    std::istringstream lines(read_document("etc/lodge.yaml"));
    std::string section;
    for (std::string line; std::getline(lines, line);) {
        const bool inner = line.rfind("#  ", 0) == 0;
        if (line.rfind('#', 0) != 0) {
            continue;
        }
        const std::string key = line.substr(0, line.find(':')).substr(inner ? 3 : 1);
        if (line.find(':') == std::string::npos ||
            key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) {
            continue;
        }
        section = inner ? section : key;
        keys.insert(inner ? section + "." + key : key);
    }
    return keys;
}

TEST(Documents, EveryKeyOfTheConfigurationIsDescribed) {
    const std::string document = read_document("docs/configuration.md");
    const std::set<std::string> keys = configuration_keys();
    ASSERT_EQ(keys.size(), 20U);
    std::set<std::string> described;
    std::istringstream lines(document);
    for (std::string line; line != "## Keys" && std::getline(lines, line);) {
    }
    for (std::string line; std::getline(lines, line) && line.rfind("## What", 0) != 0;) {
        if (line.rfind("| `", 0) == 0) {
            described.insert(line.substr(3, line.find('`', 3) - 3));
        }
    }
    EXPECT_EQ(described, keys);
    const std::string manual = read_document("etc/man/lodge.yaml.5");
    for (const std::string& key : keys) {
        EXPECT_NE(manual.find("\n.It Cm " + key.substr(key.find('.') + 1) + "\n"),
                  std::string::npos)
            << key;
    }
}

class NoDaemon final : public daemon::Daemon {
  public:
    daemon::ContainerService& containers() override { std::abort(); }
    daemon::ContainerViewService& views() override { std::abort(); }
    daemon::SessionService& sessions() override { std::abort(); }
    daemon::TemplateService& templates() override { std::abort(); }
    daemon::OperationService& operations() override { std::abort(); }
    daemon::HostInfo host_info() override { std::abort(); }
    Result<Uuid> shut_down_host(std::chrono::milliseconds) override { std::abort(); }
    Result<std::size_t> start_up_host() override { std::abort(); }
    Result<daemon::CheckReport> check_host(bool) override { std::abort(); }
    bool shut_down(const Deadline&, const Deadline&) override { return true; }
};

// "GET /v1/x" or "GET /v1/x ?name".
std::set<std::string> daemon_routes() {
    NoDaemon none;
    std::set<std::string> routes;
    for (auto make : {daemon::container_routes,
                      daemon::template_routes,
                      daemon::operation_routes,
                      daemon::host_routes}) {
        for (const daemon::Route& route : make(none)) {
            EXPECT_EQ(route.needs == daemon::Permission::view, route.method == "GET")
                << route.method << " " << route.path.front();
            std::string text = route.method + " /v1";
            for (const std::string& part : route.path) {
                text += "/" + part;
            }
            EXPECT_TRUE(routes.insert(text).second) << text << " stands twice";
            for (const std::string& parameter : route.parameters) {
                routes.insert(text + " ?" + parameter);
            }
        }
    }
    return routes;
}

std::string without_names(std::string path) {
    for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) {
        path.replace(open, path.find('}') - open + 1, "*");
    }
    return path;
}

// Of the query.
std::set<std::string> documented_parameters(const yaml::Node& document, const yaml::Node& owner) {
    std::set<std::string> names;
    const auto& shared = test::child(test::child(document, "components"), "parameters");
    for (const yaml::Node& item : test::child(owner, "parameters").items) {
        const std::string& reference = test::child(item, "$ref").scalar;
        const yaml::Node& parameter =
            reference.empty() ? item
                              : test::child(shared, reference.substr(reference.rfind('/') + 1));
        if (test::child(parameter, "in").scalar == "query") {
            names.insert(test::child(parameter, "name").scalar);
        }
    }
    return names;
}

std::set<std::string> documented_routes(const yaml::Node& document) {
    std::set<std::string> routes;
    for (const auto& [path, operations] : test::child(document, "paths").entries) {
        for (const auto& [key, operation] : operations.entries) {
            if (key == "parameters") {
                continue;
            }
            std::string method = key;
            for (char& c : method) {
                c = static_cast<char>(c - 'a' + 'A');
            }
            const std::string route = method + " " + without_names(path);
            routes.insert(route);
            for (const std::string& name : documented_parameters(document, operation)) {
                routes.insert(route + " ?" + name);
            }
        }
    }
    return routes;
}

TEST(Documents, OpenApiHasTheDaemonsRoutesAndTheirParameters) {
    const auto document = yaml::parse(read_document("docs/openapi.yaml"), "openapi.yaml");
    ASSERT_TRUE(document) << document.error().message();
    EXPECT_EQ(documented_routes(*document), daemon_routes());
}

void collect_references(const yaml::Node& node, std::set<std::string>& references) {
    for (const auto& [key, value] : node.entries) {
        if (key == "$ref") {
            references.insert(value.scalar);
        }
        collect_references(value, references);
    }
    for (const yaml::Node& item : node.items) {
        collect_references(item, references);
    }
}

TEST(Documents, OpenApiRefersToWhatItHasAndKnowsEveryCode) {
    const auto document = yaml::parse(read_document("docs/openapi.yaml"), "openapi.yaml");
    ASSERT_TRUE(document) << document.error().message();
    std::set<std::string> references;
    collect_references(*document, references);
    std::set<std::string> components;
    for (const auto& [kind, members] : test::child(*document, "components").entries) {
        for (const auto& [name, member] : members.entries) {
            components.insert("#/components/" + kind + "/" + name);
        }
    }
    EXPECT_EQ(references, components);
    const auto& schemas = test::child(test::child(*document, "components"), "schemas");
    const auto& body = test::child(test::child(schemas, "ErrorBody"), "properties");
    std::vector<std::string> codes;
    for (const yaml::Node& item : test::child(test::child(body, "code"), "enum").items) {
        codes.push_back(item.scalar);
    }
    std::vector<std::string> known;
    for (const ErrorCode code : codes_of_the_api()) {
        known.emplace_back(to_string(code));
    }
    EXPECT_EQ(codes, known);
}

} // namespace
} // namespace lodge
