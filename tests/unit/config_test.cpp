#include "daemon/config.hpp"
#include "lib/kernel/fs.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace lodge::daemon {
namespace {

using Transport = network::HostService::Transport;

std::string refusal_of(const std::string& yaml) {
    Settings settings;
    const Status status = apply_config(yaml, "lodge.yaml", settings);
    return status ? "" : status.error().message();
}

Settings settings_of(const std::string& yaml) {
    Settings settings;
    const Status status = apply_config(yaml, "lodge.yaml", settings);
    EXPECT_TRUE(status) << status.error().message();
    return settings;
}

// In etc/lodge.yaml a key that is commented out follows the '#' at once, prose after one space.
std::string with_every_key(const std::string& text) {
    std::istringstream lines(text);
    std::string active;
    for (std::string line; std::getline(lines, line);) {
        const bool key = line.size() > 2 && line[0] == '#' && (line[1] != ' ' || line[2] == ' ');
        active += (key ? line.substr(1) : line) + "\n";
    }
    return active;
}

TEST(Config, TheShippedFileSaysTheEmbeddedDefaults) {
    const auto text = kernel::read_file(LODGE_SOURCE_DIR "/etc/lodge.yaml", 65536);
    ASSERT_TRUE(text);
    const auto defaults = default_settings();
    ASSERT_TRUE(defaults);
    Settings as_shipped = *defaults;
    ASSERT_TRUE(apply_config(*text, "lodge.yaml", as_shipped));
    EXPECT_TRUE(as_shipped == *defaults) << "a line is not a comment";

    // Everything that the file names is set to something else first, so that a wrong value shows,
    // and so does a key that is left out.
    Settings settings{.state_directory = "x",
                      .run_directory = "x",
                      .socket_path = "x",
                      .socket_group = "x",
                      .definitions_directories = defaults->definitions_directories,
                      .monitor_program = defaults->monitor_program,
                      .unpack_program = defaults->unpack_program,
                      .cgroup_base = "x",
                      .encryption = "x",
                      .limits_best_effort = true,
                      .bridge = "x",
                      .host_services = {},
                      .most_connections = 1,
                      .first_uid = 1,
                      .uid_ranges = 1,
                      .stop_timeout = std::chrono::milliseconds(1),
                      .database_copies = 0,
                      .most_unpacked_bytes = 1};
    const Status read = apply_config(with_every_key(*text), "lodge.yaml", settings);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_TRUE(settings == *defaults);
    EXPECT_NE(with_every_key(*text).find("\n  nameservers:"), std::string::npos);
    EXPECT_NE(with_every_key(*text).find("\ndefinitions_dir:"), std::string::npos);
}

TEST(Config, AnOperatorsDefinitionsComeBeforeTheShippedOnes) {
    Settings settings{.definitions_directories = {"/shipped"}};
    ASSERT_TRUE(apply_config("definitions_dir: /own\n", "x", settings));
    EXPECT_EQ(settings.definitions_directories, (std::vector<std::string>{"/own", "/shipped"}));
}

TEST(Config, AnEmptyFileLeavesTheDefaults) {
    EXPECT_TRUE(settings_of("") == Settings{});
    EXPECT_TRUE(settings_of("# nothing\n") == Settings{});
}

TEST(Config, RefusesWithTheLine) {
    EXPECT_EQ(refusal_of("\nlimit: strict\n"), "lodge.yaml:2: unknown key 'limit'");
    EXPECT_EQ(refusal_of("limits: strict\nlimits: strict\n"),
              "lodge.yaml:2: the key 'limits' stands here a second time");
    EXPECT_EQ(refusal_of("limits: lax\n"), "lodge.yaml:1: strict or best-effort is expected here");
    EXPECT_NE(refusal_of("encryption: rot13\n").find("lodge.yaml:1: 'rot13'"), std::string::npos);
    EXPECT_NE(refusal_of("stop_timeout: soon\n"), "");
    EXPECT_NE(refusal_of("most_unpacked: -1\n"), "");
    EXPECT_NE(refusal_of("database_copies: 367\n"), "");
    EXPECT_NE(refusal_of("database_copies: -1\n"), "");
    EXPECT_NE(refusal_of("network: lodge0\n"), "");
    EXPECT_NE(refusal_of("network:\n  pools: [10.0.0.1]\n"), "");
    for (const char* pool : {"10.0.0.0/8", "10.255.255.255/8", "fd00::/64"}) {
        const std::string text = "network:\n  pools: ['" + std::string(pool) + "']\n";
        EXPECT_NE(refusal_of(text).find("address"), std::string::npos) << pool;
    }
    EXPECT_EQ(refusal_of("network:\n  pools: [10.0.0.0/31, 'fd00::/127']\n"), "");
    EXPECT_NE(refusal_of("network:\n  pools: [10.0.0.1/8, 10.1.0.1/16]\n").find("more than one"),
              std::string::npos);
    EXPECT_NE(refusal_of("network:\n  nameservers: [resolver]\n"), "");
}

TEST(Config, KeepsIdRangesInsideTheIdsThereAre) {
    EXPECT_NE(refusal_of("first_uid: 65537\n"), "");
    EXPECT_NE(refusal_of("uid_ranges: 65535\n").find("past the last id"), std::string::npos);
    EXPECT_NE(refusal_of("first_uid: 4294901760\nuid_ranges: 1\n"), ""); // would hold 0xffffffff
    EXPECT_EQ(refusal_of("first_uid: 4294836224\nuid_ranges: 1\n"), "");
}

TEST(Config, ReadsTheBoundOfConnections) {
    EXPECT_EQ(settings_of("").bridge_spec().most_connections, 8192U);
    EXPECT_EQ(settings_of("network: {most_connections: 64K}\n").bridge_spec().most_connections,
              65536U);
    for (const char* bad : {"0", "15", "2M", "many", "-1"}) {
        EXPECT_NE(refusal_of("network: {most_connections: " + std::string(bad) + "}\n"), "") << bad;
    }
}

TEST(Config, ReadsHostServices) {
    EXPECT_EQ(settings_of("").host_services.size(), 2U);
    EXPECT_TRUE(settings_of("network: {host_services: []}\n").host_services.empty());
    const auto services =
        settings_of("network: {host_services: [443/tcp, 123/udp]}\n").host_services;
    ASSERT_EQ(services.size(), 2U);
    EXPECT_EQ(services[0], (network::HostService{Transport::tcp, 443}));
    EXPECT_EQ(services[1], (network::HostService{Transport::udp, 123}));
    for (const char* bad : {"53", "53/", "/udp", "0/udp", "65536/tcp", "53/sctp", "5x/udp"}) {
        EXPECT_NE(refusal_of("network: {host_services: [" + std::string(bad) + "]}\n"), "") << bad;
    }
}

} // namespace
} // namespace lodge::daemon
