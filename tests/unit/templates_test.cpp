#include "lib/kernel/fs.hpp"
#include "templates/apt_sources.hpp"
#include "templates/definition.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lodge::templates {
namespace {

const std::string kGood =
    "name: mine\nbuilder: mmdebstrap\nsuite: bookworm\nvariant: minbase\npackages: [ssh]\n"
    "init: /sbin/init\nhalt_signal: SIGPWR\nready: ssh\n";

std::string error_of(const std::string& yaml) {
    const auto definition = parse_definition(yaml, "mine.yaml");
    return definition ? "" : definition.error().message();
}

TEST(Definition, TakesEveryOneThatIsShipped) {
    const auto all = load_definitions({LODGE_SOURCE_DIR "/templates/definitions"});
    ASSERT_TRUE(all) << all.error().to_string();
    ASSERT_EQ(all->size(), 4U);
    EXPECT_EQ((*all)[0].name, "debian-11");
    EXPECT_EQ((*all)[2].name, "debian-12-sysvinit");
}

TEST(Definition, RefusesUnknownAndRepeatedKeysWithTheirLine) {
    EXPECT_EQ(error_of(kGood), "");
    EXPECT_EQ(error_of(kGood + "pakages: []\n"), "mine.yaml:9: unknown key 'pakages'");
    EXPECT_EQ(error_of(kGood + "suite: sid\n"),
              "mine.yaml:9: the key 'suite' stands here a second time");
    EXPECT_NE(error_of(kGood + "files: [{path: /a, mod: 1}]\n").find("unknown key 'mod'"),
              std::string::npos);
}

TEST(Definition, RefusesValuesThatWouldDoHarm) {
    EXPECT_NE(error_of(kGood + "files: [{path: /../etc/passwd, content: x}]\n"), "");
    EXPECT_NE(error_of(kGood + "files: [{path: /a, mode: '8888'}]\n"), "");
    EXPECT_NE(error_of(kGood + "remove: [relative]\n"), "");
    std::string option = kGood;
    option.replace(option.find("bookworm"), 8, "--evil");
    EXPECT_NE(error_of(option), "");
    std::string package = kGood;
    package.replace(package.find("[ssh]"), 5, "['a b']");
    EXPECT_NE(error_of(package), "");
    EXPECT_NE(error_of("just text"), "");
    EXPECT_NE(error_of("{"), "");
    EXPECT_NE(error_of(""), "");
}

TEST(Definition, NamesTheKnownOnesWhenOneIsMissing) {
    const auto missing = load_definition({LODGE_SOURCE_DIR "/templates/definitions"}, "plan9");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ErrorCode::not_found);
    EXPECT_NE(missing.error().message().find("debian-13"), std::string::npos);
    EXPECT_EQ(load_definition({"/"}, "../etc/passwd").error().code(), ErrorCode::invalid_argument);
}

TEST(Definition, AnOperatorsAddsToTheShippedOnesAndStandsInForOne) {
    const test::TempDir own;
    const auto place = kernel::open_directory(own.path()).value();
    const auto named = [](const std::string& name) {
        std::string yaml = kGood;
        return yaml.replace(yaml.find("mine"), 4, name);
    };
    ASSERT_TRUE(kernel::replace_file(place.get(), "web.yaml", named("web"), 0644));
    ASSERT_TRUE(kernel::replace_file(place.get(), "debian-13.yaml", named("debian-13"), 0644));
    const std::vector<std::string> both{own.path(), LODGE_SOURCE_DIR "/templates/definitions"};
    std::string names;
    const auto all = load_definitions(both);
    ASSERT_TRUE(all) << all.error().to_string();
    for (const Definition& one : *all) {
        names += one.name + (one.description.empty() ? "! " : " ");
    }
    EXPECT_EQ(names, "debian-11 debian-12 debian-12-sysvinit debian-13! web! ");
    EXPECT_EQ(load_definition(both, "debian-13").value().suite, "bookworm") << "the operator's";
    EXPECT_EQ(load_definition(both, "debian-12").value().suite, "bookworm");
    const auto missing = load_definition(both, "plan9");
    EXPECT_NE(missing.error().message().find("debian-13, web"), std::string::npos);
    EXPECT_FALSE(load_definitions({own.path() + "/none"})) << "named, and not there";
}

TEST(AptSources, ReadsBothForms) {
    const auto lines = parse_sources_list(
        "# no\ndeb [arch=amd64 signed-by=/k.gpg] http://m/debian bookworm main contrib\n"
        "deb-src http://m/debian bookworm main\ndeb [broken\n");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].signed_by, "/k.gpg");
    EXPECT_EQ(lines[0].components, "main contrib");
    const auto stanzas = parse_deb822_sources(
        "Types: deb\n# c\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\nSigned-By: /k.gpg\n\nTypes: deb\nEnabled: no\nURIs: http://n\nSuites: "
        "x\n");
    ASSERT_EQ(stanzas.size(), 2U);
    EXPECT_EQ(stanzas[1].suite, "bookworm-updates");
}

TEST(AptSources, PutsTheSuiteInPlaceOfTheHostsRelease) {
    const std::vector<AptSource> host{{"http://m/debian", "bookworm", "main", "/k.gpg"},
                                      {"http://m/security", "bookworm-security", "main", ""},
                                      {"http://other", "tool-bookworm", "main", ""}};
    EXPECT_EQ(sources_for_suite(host, "bookworm", "trixie").value(),
              "deb [signed-by=/k.gpg] http://m/debian trixie main\ndeb http://m/security "
              "trixie-security main\n");
    EXPECT_EQ(sources_for_suite(host, "sid", "trixie").error().code(), ErrorCode::unsupported);
}

} // namespace
} // namespace lodge::templates
