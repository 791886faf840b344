#include "lib/kernel/fs.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/lodge_host.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lodge::test {
namespace {

class NetworkSettingsTest : public LodgeTest {
  protected:
    // Starts the daemon anew with this; what else was configured stays.
    void restart_with(const std::string& network) {
        host->stop_daemon();
        const auto place = kernel::open_directory(host->directory());
        const auto text = kernel::read_file(host->directory() + "/lodge.yaml", 4096);
        ASSERT_TRUE(place && text);
        const std::string before = text->substr(0, text->find("network:"));
        ASSERT_TRUE(put_file(place->get(), "lodge.yaml", before + "network: {" + network + "}\n"));
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    }
};

TEST_F(NetworkSettingsTest, APoolAddedLaterHindersNoContainerAndOneTakenAwayIsNamed) {
    ASSERT_NO_FATAL_FAILURE(restart_with("pools: [10.77.0.1/16]"));
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);

    const std::string both = "pools: [10.77.0.1/16, 'fd4c:6f64:6765::1/64']";
    ASSERT_NO_FATAL_FAILURE(restart_with(both));
    const CliResult started = host->lodge({"start", "web1"});
    EXPECT_EQ(started.code, 0) << started.err;
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);

    ASSERT_NO_FATAL_FAILURE(restart_with("pools: [10.88.0.1/16]"));
    const CliResult refused = host->lodge({"start", "web1"});
    EXPECT_EQ(refused.code, 5);
    EXPECT_NE(refused.err.find("network.pools"), std::string::npos) << refused.err;
    EXPECT_EQ(host->field("web1", "state"), "stopped");

    ASSERT_NO_FATAL_FAILURE(restart_with(both));
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0);
}

TEST_F(NetworkSettingsTest, HostsAndResolversAreNamedInside) {
    ASSERT_NO_FATAL_FAILURE(restart_with("nameservers: [192.0.2.53, '2001:db8::53']"));
    const CliResult made = host->lodge({"create",
                                        "web1",
                                        "--template",
                                        "tiny",
                                        "--hostname",
                                        "shop.example.org",
                                        "--ip",
                                        "10.77.1.2",
                                        "--start"});
    ASSERT_EQ(made.code, 0) << made.err;
    const auto file = [this](const std::string& path) {
        return host->lodge({"exec", "web1", "--", "/bin/guest", "cat", path}).out;
    };
    const std::string hosts = file("/etc/hosts");
    EXPECT_NE(hosts.find("127.0.0.1 localhost\n"), std::string::npos) << hosts;
    EXPECT_NE(hosts.find("10.77.1.2 shop.example.org shop\n"), std::string::npos) << hosts;
    EXPECT_EQ(file("/etc/resolv.conf"), "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
}

} // namespace
} // namespace lodge::test
