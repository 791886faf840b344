#include "tests/support/lodge_host.hpp"
#include "tests/support/replaced_file.hpp"

#include <nlohmann/json.hpp>

namespace lodge::test {

namespace {

using nlohmann::json;

class HostSettingsTest : public LodgeTest {
  protected:
    json setting(const std::string& name) {
        const json info = json::parse(host->lodge({"host", "info", "--json"}).out, nullptr, false);
        for (const json& one : info.value("settings", json::array())) {
            if (one.value("name", "") == name) {
                return one;
            }
        }
        return json::object();
    }
};

TEST_F(HostSettingsTest, AreToldByHostInfo) {
    {
        const ReplacedFile small("/proc/sys/kernel/pty/max", "4096\n");
        const json told = setting("kernel.pty.max");
        EXPECT_EQ(told.value("value", 0), 4096) << told.dump();
        EXPECT_EQ(told.value("wanted", 0), 2147483647);
        EXPECT_EQ(told.value("bound", ""), "at least");
        EXPECT_FALSE(told.value("suits", true));
        EXPECT_NE(told.value("why", "").find("terminals"), std::string::npos);
        EXPECT_NE(told.value("what_to_do", "").find("sysctl"), std::string::npos);
        const CliResult text = host->lodge({"host", "info"});
        EXPECT_EQ(text.code, 0) << text.err;
        EXPECT_NE(text.out.find("kernel.pty.max"), std::string::npos) << text.out;
        EXPECT_NE(text.out.find("is 4096, should be at least 2147483647"), std::string::npos);
    }
    const ReplacedFile large("/proc/sys/kernel/pty/max", "2147483647\n");
    EXPECT_TRUE(setting("kernel.pty.max").value("suits", false));
    EXPECT_EQ(setting("kernel.pty.max").value("what_to_do", "?"), "");
    EXPECT_EQ(host->lodge({"host", "info"}).out.find("kernel.pty.max"), std::string::npos);
}

} // namespace

} // namespace lodge::test
