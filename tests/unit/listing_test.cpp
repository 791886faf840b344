#include "cli/columns.hpp"
#include "cli/difference.hpp"
#include "cli/filter.hpp"
#include "cli/info_rows.hpp"
#include "cli/values.hpp"
#include "daemon/api/container_json.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/yaml/emit.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

// What `list` and `info` make of the API's containers.
namespace lodge::cli {
namespace {

using nlohmann::json;

std::vector<json> containers() {
    return json::parse(R"([
        {"name": "web1", "state": "running", "busy_with": "stop", "template": "debian-12",
         "addresses": ["10.77.0.2/16", "fd00::2/64"], "labels": {"tier": "gold", "zone": "a"},
         "description": "the \"first\", of two", "disk_bytes": 2147483648,
         "memory_used_bytes": 12345344, "cpu_millis": 1500, "uptime_seconds": 93784},
        {"name": "web2", "state": "stopped", "busy_with": "", "template": "alpine",
         "addresses": [], "disk_bytes": 67108864, "memory_used_bytes": null},
        {"name": "db1", "state": "running", "busy_with": "", "template": "debian-12",
         "addresses": ["10.77.0.3/16"], "labels": {"tier": "tin"}, "disk_bytes": 1073741824,
         "memory_used_bytes": 99, "cpu_used_ms": 5}
    ])");
}

std::string names_that(const std::vector<std::string>& conditions) {
    const auto filter = Filter::parse(conditions);
    EXPECT_TRUE(filter) << filter.error().message();
    std::string names;
    for (const json& one : containers()) {
        names += filter->admits(one) ? one["name"].get<std::string>() + " " : "";
    }
    return names;
}

TEST(Filter, AdmitsThoseOfWhichEveryConditionHolds) {
    EXPECT_EQ(names_that({}), "web1 web2 db1 ");
    EXPECT_EQ(names_that({"state=running"}), "web1 db1 ");
    EXPECT_EQ(names_that({"name=web*"}), "web1 web2 ");
    EXPECT_EQ(names_that({"name=web?", "state=running"}), "web1 ");
    EXPECT_EQ(names_that({"template=debian-12"}), "web1 db1 ");
    EXPECT_EQ(names_that({"label=tier"}), "web1 db1 ");
    EXPECT_EQ(names_that({"label=tier=gold"}), "web1 ");
    EXPECT_EQ(names_that({"label=tier=gold", "label=zone=b"}), "");
    EXPECT_EQ(names_that({"address=10.77.0.3"}), "db1 ");
    EXPECT_EQ(names_that({"address=10.77.0.*"}), "web1 db1 ");
    EXPECT_EQ(names_that({"address=fd00::2/64"}), "web1 ");
    EXPECT_EQ(names_that({"name="}), "");
    EXPECT_EQ(names_that({"onboot=yes"}), "") << "not known of them";
}

TEST(Filter, NamesWhatItCannotTake) {
    EXPECT_EQ(Filter::parse({"colour=red"}).error().message(),
              "there is no key 'colour'; there are: name, state, template, label, address, "
              "hostname, encryption, rootfs, onboot, restart, protect");
    EXPECT_EQ(Filter::parse({"state=runing"}).error().message(),
              "state: 'runing' is not a state; known are stopped, running, frozen, broken");
    for (const char* bad : {"", "=", "state", "name", "label=", "label==gold", "onboot=maybe"}) {
        const auto parsed = Filter::parse({bad});
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().code(), ErrorCode::invalid_argument) << bad;
    }
}

std::string sorted_by(const char* words) {
    auto all = containers();
    sort_containers(all, parse_sort(words).value());
    std::string names;
    for (const json& one : all) {
        names += one["name"].get<std::string>() + " ";
    }
    return names;
}

TEST(Columns, SortNumbersByValueAndWhatHasNoneLast) {
    EXPECT_EQ(sorted_by(""), "web1 web2 db1 ");
    EXPECT_EQ(sorted_by("name"), "db1 web1 web2 ");
    EXPECT_EQ(sorted_by("-name"), "web2 web1 db1 ");
    EXPECT_EQ(sorted_by("disk"), "web2 db1 web1 ");
    EXPECT_EQ(sorted_by("memory"), "db1 web1 web2 ");
    EXPECT_EQ(sorted_by("-memory"), "web1 db1 web2 ");
    EXPECT_EQ(sorted_by("-state"), "web2 web1 db1 ") << "what is alike stays in its order";
}

TEST(Columns, SortByEachOfThem) {
    for (const Column& column : all_columns()) {
        const std::string field(column.field);
        for (const auto& [small, large] : std::vector<std::pair<json, json>>{
                 {9, 10}, {"9", "91"}, {json::array({"a"}), json::array({"b"})}}) {
            std::vector<json> all{{{"n", 2}, {field, large}},
                                  {{"n", 3}, {field, nullptr}},
                                  {{"n", 1}, {field, small}}};
            for (const auto& [sign, expected] :
                 {std::pair{"", std::vector{1, 2, 3}}, {"-", std::vector{2, 1, 3}}}) {
                sort_containers(all, parse_sort(sign + std::string(column.key)).value());
                std::vector<int> order;
                for (const json& one : all) {
                    order.push_back(one["n"]);
                }
                EXPECT_EQ(order, expected) << sign << column.key;
            }
        }
    }
}

TEST(Columns, AreShownToPeople) {
    const auto columns = parse_columns("name,state,disk,memory,cpu,cpus,uptime,labels").value();
    const std::vector<std::vector<std::string>> expected{
        {"NAME", "STATE", "DISK", "MEMORY", "CPU", "CPUS", "UPTIME", "LABELS"},
        {"web1", "running (stop)", "2G", "11.7M", "", "1.5", "1d 2h", "tier=gold,zone=a"},
        {"web2", "stopped", "64M", "", "", "", "", ""},
        {"db1", "running", "1G", "99", "5ms", "", "", "tier=tin"}};
    EXPECT_EQ(table_of(containers(), columns), expected);
}

TEST(Columns, AreWrittenAsRfc4180HasIt) {
    EXPECT_EQ(csv_of(containers(), parse_columns("name,addresses,description,memory").value()),
              "name,addresses,description,memory\r\n"
              "web1,\"10.77.0.2/16,fd00::2/64\",\"the \"\"first\"\", of two\",12345344\r\n"
              "web2,,,\r\n"
              "db1,10.77.0.3/16,,99\r\n");
    EXPECT_EQ(csv_of(containers(), parse_columns("name,name").value()),
              "name,name\r\nweb1,web1\r\nweb2,web2\r\ndb1,db1\r\n");
    EXPECT_EQ(csv_of(json::parse(R"([{"description": "a\nb"}, {}])"),
                     parse_columns("description").value()),
              "description\r\n\"a\nb\"\r\n\"\"\r\n");
}

TEST(Columns, NameThoseThatThereAre) {
    EXPECT_EQ(parse_columns("name,memroy").error().message(),
              "'memroy' is not a column; did you mean 'memory'?");
    for (const char* bad : {"name,", ",name", "colour"}) {
        const auto parsed = parse_columns(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_NE(parsed.error().message().find("there are: name, state,"), std::string::npos);
    }
    EXPECT_FALSE(parse_sort("-"));
    EXPECT_FALSE(parse_sort("--name"));
}

// Each field is one that the daemon shows, and each column stands in the document.
TEST(Columns, AreOfTheApiAndInTheDocument) {
    const auto document =
        kernel::read_file(LODGE_SOURCE_DIR "/docs/cli.md", std::size_t{1} << 20).value();
    std::set<std::string_view> keys;
    for (const Column& column : all_columns()) {
        EXPECT_TRUE(keys.insert(column.key).second) << column.key;
        EXPECT_TRUE(daemon::read_fields(column.field)) << column.key;
        const std::string row =
            "\n| `" + std::string(column.key) + "` | `" + std::string(column.field) + "` |";
        const std::size_t at = document.find(row);
        ASSERT_NE(at, std::string::npos) << "docs/cli.md lacks" << row;
        const std::string rest = document.substr(at + row.size(), document.find('\n', at + 1) - at);
        EXPECT_EQ(rest.starts_with(" shown without"), column.initially) << column.key;
    }
    for (const std::string_view key : Filter::keys()) {
        EXPECT_NE(document.find("`" + std::string(key) + "="), std::string::npos) << key;
    }
    for (const std::string_view field :
         Filter::parse({"name=a", "label=a", "address=a"})->fields()) {
        EXPECT_TRUE(daemon::read_fields(field)) << field;
    }
}

// Texts that a parser would take for something else, or for the end of the text.
TEST(Yaml, ComesBackAsItWas) {
    json value = json::parse(R"({"numbers": [1, -5, 1.5], "yes": true, "none": null, "empty": [],
                                 "nothing": {}, "nested": [{"a": [[]], "b": {"c": "d"}}, [1, [2]]]})");
    for (const char* text : {"plain",
                             "yes",
                             "No",
                             "null",
                             "~",
                             "1",
                             "0x1f",
                             "1e3",
                             "012",
                             "",
                             " a",
                             "a ",
                             "- a",
                             "a: b",
                             "a #b",
                             "#",
                             "&a",
                             "*a",
                             "!a",
                             "%a",
                             "@a",
                             "`a`",
                             "'",
                             "\"",
                             "a\nb",
                             "\t",
                             "{}",
                             "[]",
                             "2026-11-30",
                             "12:30:45",
                             "\x1b[31m",
                             "\x7f",
                             "\xc2\x85",
                             "\xc2\x9b",
                             "\xe2\x80\xa8",
                             "\xef\xbb\xbf",

                             "gr\xc3\xbc\xc3\x9f",
                             "\xf0\x9f\x98\x80",
                             "---",
                             "...",
                             "=",
                             "<<",
                             "on",
                             ".5",
                             ".inf",
                             "\\",
                             "a\\n"}) {
        value["texts"].push_back(text);
        value["named"][text] = text;
    }
    const std::string written = yaml_of(value);
    for (const char c : written) {
        EXPECT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)) << written;
    }
    EXPECT_EQ(written.find("\xc2\x9b"), std::string::npos) << "CSI";
    const auto read = yaml::parse(written, "written");
    ASSERT_TRUE(read) << read.error().message() << written;
    const yaml::Node* texts = nullptr;
    for (const auto& [key, node] : read->entries) {
        texts = key == "texts" ? &node : texts;
        if (key == "named") {
            EXPECT_EQ(node.entries.size(), value["named"].size());
            for (const auto& [name, text] : node.entries) {
                EXPECT_EQ(name, text.scalar);
            }
        }
    }
    ASSERT_NE(texts, nullptr);
    ASSERT_EQ(texts->items.size(), value["texts"].size());
    for (std::size_t i = 0; i < texts->items.size(); ++i) {
        EXPECT_EQ(texts->items[i].scalar, value["texts"][i].get<std::string>());
    }
}

TEST(InfoRows, ShowEveryFieldAndTheUseBesideTheLimit) {
    daemon::ContainerView view;
    view.container.spec.name = "web1";
    view.container.spec.resources.memory_bytes = std::uint64_t{512} << 20;
    view.container.spec.labels = {{"tier", "gold"}, {"zone", "a"}};
    view.container.cards = {{.uuid = {}, .mac_address = {}, .addresses = {}}};
    view.use.memory_bytes = std::uint64_t{3} << 20;
    view.limits_not_enforced = {"memory"};
    json one = json::parse(daemon::ContainerJson::whole().of(view).dump());
    std::string shown;
    for (const auto& row : info_rows(one)) {
        shown += row.front() + (row.size() > 1 ? "|" + row.back() : "") + "\n";
    }
    EXPECT_NE(shown.find("  memory|3M in use, limit 512M, which this host does not enforce\n"),
              std::string::npos)
        << shown;
    EXPECT_NE(shown.find("  cpus|no limit\n"), std::string::npos) << shown;
    EXPECT_NE(shown.find("  labels|tier=gold\n  |zone=a\n"), std::string::npos) << shown;
    EXPECT_NE(shown.find("  card on the host|ve-"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("other"), std::string::npos) << "a field without a group: " << shown;
    one["news"] = 5;
    EXPECT_EQ(info_rows(one).back(), (std::vector<std::string>{"  news", "5"}));
}

TEST(Difference, NamesWhatIsNotAsItIsAskedFor) {
    const json one =
        json::parse(R"({"name": "web1", "disk_bytes": 67108864, "memory_bytes": 1048576,
        "addresses": ["10.77.0.2/16", "fd00::2/64"], "labels": {"tier": "gold", "zone": "a"}})");
    const auto against = [&](const char* asked) { return difference(json::parse(asked), one); };
    EXPECT_EQ(against("{}"), "");
    EXPECT_EQ(against(R"({"disk_bytes": 67108864, "addresses": ["fd00::2"], "ssh_keys": ["x"],
                          "labels": {"zone": "a"}})"),
              "");
    EXPECT_EQ(against(R"({"disk_bytes": 1073741824, "labels": {"zone": "b"}})"),
              "disk: 64M, not 1G; labels: tier=gold,zone=a, not zone=b");
    EXPECT_EQ(against(R"({"memory_bytes": null, "cpu_millis": 1500, "addresses": ["10.77.0.3"]})"),
              "addresses: 10.77.0.2/16,fd00::2/64, not 10.77.0.3; cpus: none, not 1.5; "
              "memory: 1M, not none");
}

TEST(Values, HaveOneFormEach) {
    EXPECT_EQ(told_size(0), "0");
    EXPECT_EQ(told_size(1023), "1023");
    EXPECT_EQ(told_size(std::uint64_t{2} << 30), "2G");
    EXPECT_EQ(told_size(1536), "1.5K");
    EXPECT_EQ(told_size((std::uint64_t{1} << 30) - 1), "1023M");
    EXPECT_EQ(told_size(std::numeric_limits<std::uint64_t>::max()), "15.9E");
    EXPECT_EQ(told_span(0), "0s");
    EXPECT_EQ(told_span(59), "59s");
    EXPECT_EQ(told_span(3600), "1h");
    EXPECT_EQ(told_span(3661), "1h 1m");
    EXPECT_EQ(told_span(86400 * 400), "400d");
    EXPECT_EQ(cell_of("created_at", json(0)), "");
}

} // namespace
} // namespace lodge::cli
