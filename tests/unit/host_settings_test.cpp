#include "daemon/host_settings.hpp"
#include "lib/kernel/fs.hpp"
#include "network/network.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace lodge::daemon {
namespace {

using Bound = HostSetting::Bound;

std::map<std::string, std::uint64_t> shipped_settings() {
    const auto text = kernel::read_file(LODGE_SOURCE_DIR "/etc/sysctl.d/lodge.conf", 65536);
    EXPECT_TRUE(text);
    std::map<std::string, std::uint64_t> settings;
    std::istringstream lines(text ? *text : "");
    for (std::string line; std::getline(lines, line);) {
        const std::size_t equals = line.find(" = ");
        if (!line.empty() && line[0] != '#' && equals != std::string::npos) {
            EXPECT_TRUE(
                settings.emplace(line.substr(0, equals), std::stoull(line.substr(equals + 3)))
                    .second)
                << line << " stands twice";
        }
    }
    return settings;
}

TEST(HostSettings, AreThoseOfTheShippedFile) {
    std::map<std::string, std::uint64_t> expected;
    for (const HostSetting& setting : host_settings()) {
        expected[std::string(setting.name)] = setting.wanted;
        EXPECT_FALSE(setting.why.empty()) << setting.name;
    }
    EXPECT_EQ(shipped_settings(), expected)
        << "etc/sysctl.d/lodge.conf, and what `host info` checks (daemon/host_settings.cpp)";
}

// What no namespace divides and one container could take for all.
TEST(HostSettings, LeaveMemoryAsTheBoundOfWhatIsShared) {
    const auto settings = shipped_settings();
    EXPECT_EQ(settings.at("kernel.pty.max"), 2147483647U);
    EXPECT_GE(settings.at("kernel.pty.reserve"), 1024U);
    EXPECT_GE(settings.at("fs.aio-max-nr"), std::uint64_t{1} << 24);
    EXPECT_GE(settings.at("net.netfilter.nf_conntrack_max"),
              64U * network::BridgeSpec{}.most_connections);
    EXPECT_GE(settings.at("fs.file-max"), std::uint64_t{1} << 24);
    EXPECT_LE(settings.at("user.max_net_namespaces"), 4096U);
    EXPECT_EQ(settings.at("dev.tty.ldisc_autoload"), 0U);
}

TEST(HostSettings, TellWhatDoesNotSuitAndWhatToDo) {
    const test::TempDir root;
    const auto set = [&](const std::string& path, const std::string& value) {
        std::filesystem::create_directories(
            std::filesystem::path(root.path() + "/" + path).parent_path());
        std::ofstream(root.path() + "/" + path) << value << '\n';
    };
    set("kernel/pty/max", "4096");
    set("kernel/pty/reserve", "1024");
    set("user/max_net_namespaces", "96365");
    set("dev/tty/ldisc_autoload", "0");
    std::map<std::string, SeenSetting> seen;
    for (const SeenSetting& setting : look_at_settings(root.path())) {
        seen.emplace(setting.setting.name, setting);
    }
    ASSERT_EQ(seen.size(), host_settings().size());
    EXPECT_FALSE(seen.at("kernel.pty.max").suits());
    EXPECT_EQ(seen.at("kernel.pty.max").value, 4096U);
    EXPECT_NE(seen.at("kernel.pty.max").what_to_do().find("sysctl -w kernel.pty.max=2147483647"),
              std::string::npos);
    EXPECT_FALSE(seen.at("user.max_net_namespaces").suits()) << "too many";
    for (const char* good : {"kernel.pty.reserve", "dev.tty.ldisc_autoload"}) {
        EXPECT_TRUE(seen.at(good).suits()) << good;
        EXPECT_EQ(seen.at(good).what_to_do(), "") << good;
    }
    const SeenSetting& absent = seen.at("fs.aio-max-nr");
    EXPECT_FALSE(absent.value) << "not every kernel has every setting";
    EXPECT_TRUE(absent.suits());
}

} // namespace
} // namespace lodge::daemon
