#include "lib/api/json.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/model/change.hpp"
#include "lib/model/spec_fields.hpp"
#include "lib/yaml/yaml.hpp"
#include "tests/support/yaml_child.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <sstream>
#include <string>

namespace lodge::model {
namespace {

std::string document(const std::string& name) {
    const auto text = kernel::read_file(LODGE_SOURCE_DIR "/docs/" + name, std::size_t{1} << 20);
    EXPECT_TRUE(text) << name;
    return text.value_or("");
}

// What a person writes for each field, and no field's initial value.
const std::map<std::string, std::string>& written() {
    static const std::map<std::string, std::string> words{
        {"name", "shop"},
        {"template", "debian-12"},
        {"hostname", "shop.example.org"},
        {"disk_bytes", "3G"},
        {"rootfs", "private"},
        {"encryption", "none"},
        {"memory_bytes", "512M"},
        {"cpu_millis", "1.5"},
        {"pids", "4k"},
        {"addresses", "10.77.0.9"},
        {"ssh_keys",
         "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"},
        {"onboot", "yes"},
        {"bootorder", "7"},
        {"boot_delay_seconds", "2m"},
        {"restart", "on-failure"},
        {"restart_limit", "3"},
        {"restart_backoff_seconds", "5s"},
        {"protect", "yes"},
        {"description", "the shop's first"},
        {"labels", "tier=gold"},
    };
    return words;
}

TEST(SpecFields, GoThroughWordsSpecAndJsonAndBack) {
    const ContainerSpec initial;
    for (const SpecField& field : spec_fields()) {
        const auto words = written().find(field.key);
        ASSERT_NE(words, written().end()) << "write a value for '" << field.key << "' above";
        const auto value = field.parse(words->second);
        ASSERT_TRUE(value) << field.key << value.error().to_string();
        EXPECT_NE(*value, field.value_of(initial)) << field.key;
        ContainerSpec spec;
        ASSERT_TRUE(put(spec, field, *value)) << field.key;
        EXPECT_EQ(field.value_of(spec), *value) << field.key;
        const auto again = api::unjudged_spec_from_json(api::to_json(spec));
        ASSERT_TRUE(again) << field.key << again.error().to_string();
        EXPECT_EQ(field.value_of(*again), *value) << field.key;
        EXPECT_EQ(put(spec, field, FieldValue()).has_value(), field.removable) << field.key;
    }
}

TEST(SpecFields, AreToldApartByEveryName) {
    std::set<std::string> keys;
    std::set<std::string> words;
    std::set<std::string> options;
    for (const SpecField& field : spec_fields()) {
        EXPECT_TRUE(keys.insert(field.key).second) << field.key;
        EXPECT_TRUE(words.insert(field.word).second) << field.word;
        std::istringstream names(field.option != nullptr ? field.option : "");
        for (std::string name; std::getline(names, name, ',');) {
            EXPECT_TRUE(options.insert(name).second) << name;
        }
        EXPECT_EQ(find_field(field.key), &field);
    }
    EXPECT_EQ(find_field("none"), nullptr);
}

TEST(SpecFields, AreChangedUnlessTheyCountAtCreationAlone) {
    for (const SpecField& field : spec_fields()) {
        SpecChange change;
        EXPECT_EQ(add(change, field.key, field.parse(written().at(field.key)).value()).has_value(),
                  field.counts != Counts::at_creation)
            << field.key;
    }
}

TEST(SpecFields, AreAllInTheDocumentOfTheCommandLine) {
    const std::string text = document("cli.md");
    const std::size_t file = text.find("| `--spec FILE`");
    ASSERT_NE(file, std::string::npos);
    const std::string of_file = text.substr(file, text.find('\n', file) - file);
    const std::size_t set = text.find("**`set NAME");
    ASSERT_NE(set, std::string::npos);
    const std::string of_set = text.substr(set, text.find("`**", set) - set);
    for (const SpecField& field : spec_fields()) {
        EXPECT_TRUE(std::string(" " + of_file).find(field.word) != std::string::npos)
            << field.word << " is not among the keys of a file";
        if (field.option == nullptr) {
            continue;
        }
        const std::string names = field.option;
        const std::string name = names.substr(0, names.find(','));
        EXPECT_NE(text.find("| `" + name + " "), std::string::npos) << name << " of create";
        EXPECT_EQ(of_set.find("[" + name + " ") != std::string::npos,
                  field.counts != Counts::at_creation)
            << name << " of set";
    }
}

TEST(SpecFields, AreAllInTheDocumentOfTheApi) {
    const auto root = yaml::parse(document("openapi.yaml"), "openapi.yaml");
    ASSERT_TRUE(root) << root.error().to_string();
    const auto has = [&](const char* schema, const SpecField& field) {
        const yaml::Node* at = &*root;
        for (const char* key : {"components", "schemas", schema, "properties", field.key}) {
            at = &test::child(*at, key);
        }
        return at->kind != yaml::Node::Kind::none;
    };
    for (const SpecField& field : spec_fields()) {
        EXPECT_TRUE(has("Create", field)) << field.key;
        EXPECT_EQ(has("Change", field), field.counts != Counts::at_creation) << field.key;
        EXPECT_EQ(has("Container", field), std::string(field.key) != "ssh_keys") << field.key;
    }
}

} // namespace
} // namespace lodge::model
