#include "tests/support/lodge_host.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

// What an operator finds among many, as it is typed.
namespace lodge::test {
namespace {

using nlohmann::json;

class ListTest : public LodgeTest {
  protected:
    void SetUp() override {
        ASSERT_NO_FATAL_FAILURE(LodgeTest::SetUp());
        for (const std::vector<std::string>& words :
             {std::vector<std::string>{"web1", "--label", "tier=gold", "--start"},
              {"web2", "--label", "tier=tin", "--description", "the \"second\", stopped"},
              {"db1", "--label", "tier=gold", "--label", "zone=a", "--disk", "128M"}}) {
            std::vector<std::string> all{"create", "--template", "tiny", "--disk", "64M"};
            all.insert(all.end(), words.begin(), words.end());
            if (words.front() == "db1") {
                all.erase(all.begin() + 3, all.begin() + 5);
            }
            const CliResult made = host->lodge(all);
            ASSERT_EQ(made.code, 0) << made.err;
        }
    }
    // The names that are listed, in their order.
    std::string names(std::vector<std::string> options) {
        options.insert(options.begin(), {"list", "--columns", "name", "--format", "csv"});
        const CliResult listed = host->lodge(options);
        EXPECT_EQ(listed.code, 0) << listed.err;
        std::string names;
        for (const char c : listed.out) {
            names += c == '\r' ? "" : c == '\n' ? " " : std::string(1, c);
        }
        EXPECT_EQ(names.substr(0, 5), "name ");
        return names.substr(std::min<std::size_t>(5, names.size()));
    }
    json listed(std::vector<std::string> options) {
        options.insert(options.begin(), "list");
        return json::parse(host->lodge(options).out);
    }
};

TEST_F(ListTest, FindsThoseOfWhichEveryFilterHolds) {
    EXPECT_EQ(names({}), "db1 web1 web2 ");
    EXPECT_EQ(names({"--filter", "state=running"}), "web1 ");
    EXPECT_EQ(names({"--filter", "label=tier=gold"}), "db1 web1 ");
    EXPECT_EQ(names({"--filter", "label=tier", "--filter", "name=web*"}), "web1 web2 ");
    EXPECT_EQ(names({"--filter=template=tiny", "--filter=state=stopped"}), "db1 web2 ");
    EXPECT_EQ(names({"--filter", "name=nobody"}), "");
    const std::string address =
        json::parse(host->lodge({"info", "db1", "--json"}).out)["addresses"][0];
    EXPECT_EQ(names({"--filter", "address=" + address.substr(0, address.find('/'))}), "db1 ");
    const CliResult unknown = host->lodge({"list", "--filter", "colour=red"});
    EXPECT_EQ(unknown.code, 2);
    EXPECT_NE(unknown.err.find("there are: name, state, template, label"), std::string::npos)
        << unknown.err;
    EXPECT_EQ(host->lodge({"list", "--filter", "state=runing"}).code, 2);
}

TEST_F(ListTest, SortsByAColumnAndShowsThoseThatAreAskedFor) {
    EXPECT_EQ(names({"--sort", "-name"}), "web2 web1 db1 ");
    EXPECT_EQ(names({"--sort", "disk"}), "web1 web2 db1 ");
    EXPECT_EQ(names({"--sort=-uptime"}), "web1 db1 web2 ");
    const CliResult table =
        host->lodge({"list", "--columns", "name,memory,cpu,uptime,labels", "--sort", "name"});
    EXPECT_EQ(table.out.substr(0, table.out.find('\n')), "NAME  MEMORY  CPU  UPTIME  LABELS")
        << table.out;
    for (const char* bad : {"--columns=nmae", "--sort=nmae"}) {
        const CliResult refused = host->lodge({"list", bad});
        EXPECT_EQ(refused.code, 2);
        EXPECT_NE(refused.err.find("did you mean 'name'?"), std::string::npos) << refused.err;
    }
}

TEST_F(ListTest, WritesJsonYamlAndCsv) {
    EXPECT_EQ(listed({"--format", "json"}), listed({"--json"}));
    EXPECT_EQ(listed({"--json", "--filter", "name=web2"}).size(), 1U);
    EXPECT_TRUE(listed({"--json", "--filter", "name=web2"})[0].contains("uuid"));
    const json some = listed({"--json", "--columns", "name,memory", "--filter", "state=running"});
    ASSERT_EQ(some.size(), 1U);
    EXPECT_EQ(some[0].size(), 2U) << some;
    EXPECT_EQ(some[0]["name"], "web1");
    EXPECT_TRUE(listed({"--json", "--sort", "memory"})[0].contains("uuid"));
    EXPECT_EQ(host->lodge({"list", "--format", "csv", "--columns", "name,description"}).out,
              "name,description\r\ndb1,\r\nweb1,\r\nweb2,\"the \"\"second\"\", stopped\"\r\n");
    // Judged by a parser that is not ours.
    const CliResult yaml = host->lodge({"list", "--format", "yaml"});
    EXPECT_EQ(json::parse(shell("lodge list --format yaml | python3 -c 'import json, sys, yaml; "
                                "print(json.dumps(yaml.safe_load(sys.stdin)))'")),
              listed({"--json"}))
        << yaml.out;
    EXPECT_EQ(host->lodge({"list", "--format", "xml"}).code, 2);
    EXPECT_EQ(host->lodge({"list", "--json", "--format", "csv"}).code, 2);
}

TEST_F(ListTest, ShowsOneInGroups) {
    const std::string shown = host->lodge({"info", "db1"}).out;
    for (const char* expected : {"container\n",
                                 "\nresources\n",
                                 "\nnetwork\n",
                                 "  card on the host  ve-",
                                 "  labels            tier=gold\n                    zone=a\n",
                                 "\npolicies\n"}) {
        EXPECT_NE(shown.find(expected), std::string::npos) << expected << " in " << shown;
    }
    const json one = json::parse(host->lodge({"info", "web1", "--json"}).out);
    EXPECT_GT(one.at("cpu_used_ms").get<int>() + 1, 0);
    EXPECT_TRUE(one.at("uptime_seconds").is_number());
    EXPECT_EQ(shell("ip -o link show " + one.at("card").get<std::string>() + " | wc -l"), "1\n");
    EXPECT_TRUE(
        json::parse(host->lodge({"info", "db1", "--json"}).out)["uptime_seconds"].is_null());
}

} // namespace
} // namespace lodge::test
