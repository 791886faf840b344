#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace lodge::test {
namespace {

using namespace std::chrono_literals;

// lodged as a service of the machine's own systemd, by the unit that is installed. The directories
// have names of the test's own; the control group, the bridge and the tables are the real ones.
class ServiceTest : public ::testing::Test {
  protected:
    void SetUp() override {
        REQUIRES("root");
        REQUIRES("systemd");
        const std::string own = "lodge-test-" + std::to_string(::getpid());
        unit = own + ".service";
        containers_unit = own + "-containers.service";
        std::filesystem::create_symlink("/run/" + own, host.directory() + "/run");
        std::string text = read(LODGE_SOURCE_DIR "/etc/lodged.service.in");
        replace(text, "@LODGE_SBINDIR@", LODGE_BIN_DIR);
        replace(text,
                "@LODGE_ARGUMENTS@",
                " --config /dev/null --state-dir " + host.directory() + "/state --run-dir /run/" +
                    own);
        replace(text, "RuntimeDirectory=lodge\n", "RuntimeDirectory=" + own + "\n");
        replace(text, "StateDirectory=lodge\n", "");
        replace(text, "Wants=lodge-containers.service", "Wants=" + containers_unit);
        std::string containers = read(LODGE_SOURCE_DIR "/etc/lodge-containers.service.in");
        replace(containers, "After=lodged.service", "After=" + unit);
        replace(containers, "@LODGE_BINDIR@", LODGE_BIN_DIR);
        replace(containers,
                "[Service]\n",
                "[Service]\nEnvironment=LODGE_SOCKET=" + host.socket() + "\n");
        const auto place = kernel::open_directory("/run/systemd/system");
        ASSERT_TRUE(place && put_file(place->get(), unit, text) &&
                    put_file(place->get(), containers_unit, containers));
        ASSERT_EQ(run({"systemctl", "daemon-reload"}).code, 0);
        const CliResult started = run({"systemctl", "start", unit});
        ASSERT_EQ(started.code, 0) << started.err << journal();
        ASSERT_NO_FATAL_FAILURE(host.import_tiny());
    }

    void TearDown() override {
        if (unit.empty()) {
            return;
        }
        host.destroy_all();
        EXPECT_EQ(run({"systemctl", "stop", containers_unit}).code, 0);
        EXPECT_EQ(run({"systemctl", "stop", unit}).code, 0);
        EXPECT_EQ(property("Result"), "success") << journal();
        for (const std::string& name : {unit, containers_unit}) {
            (void)::unlink(("/run/systemd/system/" + name).c_str());
        }
        (void)run({"systemctl", "daemon-reload"});
        for (const char* table : {"inet", "bridge"}) {
            (void)in_host_network({"nft", "delete", "table", table, "lodge"});
        }
        (void)in_host_network({"ip", "link", "delete", "lodge0"});
        for (const char* group : {"/sys/fs/cgroup/lodge/daemon", "/sys/fs/cgroup/lodge"}) {
            EXPECT_EQ(::rmdir(group), 0) << group;
        }
        const std::string own = "/run/" + unit.substr(0, unit.find('.'));
        for (const auto& image : std::filesystem::directory_iterator(own + "/templates")) {
            (void)in_host_mounts({"umount", image.path()});
        }
        std::filesystem::remove_all(own); // RuntimeDirectoryPreserve
    }

    static std::string read(const std::string& path) {
        const auto text = kernel::read_file(path, 65536);
        EXPECT_TRUE(text) << path;
        return text ? *text : "";
    }

    static void replace(std::string& text, const std::string& what, const std::string& with) {
        const std::size_t at = text.find(what);
        ASSERT_NE(at, std::string::npos) << what;
        text.replace(at, what.size(), with);
    }

    static CliResult run(std::vector<std::string> words) {
        const std::string program = words.front();
        words.erase(words.begin());
        const auto output = kernel::run_program({.path = program,
                                                 .arguments = std::move(words),
                                                 .environment = {},
                                                 .input = {},
                                                 .deadline = Deadline::after(patience(60s)),
                                                 .judged = true});
        return output
                   ? CliResult{output->exit_code, output->standard_output, output->standard_error}
                   : CliResult{-1, {}, output.error().to_string()};
    }
    // The tests' own namespaces are not the service's.
    static CliResult in_host_network(std::vector<std::string> words) {
        words.insert(words.begin(), {"nsenter", "--target", "1", "--net", "--"});
        return run(std::move(words));
    }
    static CliResult in_host_mounts(std::vector<std::string> words) {
        words.insert(words.begin(), {"nsenter", "--target", "1", "--mount", "--"});
        return run(std::move(words));
    }

    std::string property(const std::string& name) const {
        std::string value = run({"systemctl", "show", "--value", "--property", name, unit}).out;
        value.erase(value.find_last_not_of('\n') + 1);
        return value;
    }
    std::string journal() const { return run({"journalctl", "--no-pager", "--unit", unit}).out; }

    void expect_answer() const {
        const Deadline deadline = Deadline::after(patience(20s));
        while (host.lodge({"host", "info"}).code != 0) {
            ASSERT_FALSE(deadline.expired()) << journal();
            (void)::poll(nullptr, 0, 20);
        }
    }

    LodgeHost host; // for its directories and its command line; the daemon is systemd's
    std::string unit;
    std::string containers_unit; ///< as lodge-containers.service
};

// One test: the control group is the host's, and there is one.
TEST_F(ServiceTest, ContainersOutliveTheServiceAndHaltWithTheHost) {
    const CliResult info = host.lodge({"host", "info", "--json"});
    EXPECT_NE(info.out.find("\"cannot_enforce\": []"), std::string::npos) << info.out;
    const CliResult created = host.lodge({"create",
                                          "web1",
                                          "--template",
                                          "tiny",
                                          "--disk",
                                          "64M",
                                          "--memory",
                                          "64M",
                                          "--pids",
                                          "64",
                                          "--start"});
    ASSERT_EQ(created.code, 0) << created.err << journal();
    const std::string init = host.field("web1", "pid");

    const std::string first = property("MainPID");
    EXPECT_EQ(read("/proc/" + first + "/cgroup"), "0::" + property("ControlGroup") + "\n");
    EXPECT_NE(journal().find("ready at"), std::string::npos) << journal();
    ASSERT_EQ(run({"systemctl", "restart", unit}).code, 0) << journal();
    EXPECT_NE(property("MainPID"), first);
    EXPECT_EQ(host.field("web1", "pid"), init);
    EXPECT_EQ(host.lodge({"exec", "web1", "--", "/bin/guest", "exit", "7"}).code, 7);

    ASSERT_EQ(run({"systemctl", "kill", "--kill-who=main", "--signal=KILL", unit}).code, 0);
    const Deadline deadline = Deadline::after(patience(30s));
    while (property("NRestarts") != "1") {
        ASSERT_FALSE(deadline.expired()) << journal();
        (void)::poll(nullptr, 0, 20);
    }
    ASSERT_NO_FATAL_FAILURE(expect_answer());
    EXPECT_EQ(host.field("web1", "pid"), init);
    EXPECT_EQ(host.lodge({"exec", "web1", "--", "/bin/guest", "exit", "8"}).code, 8);
    const CliResult second = host.lodge({"create", "web2", "--template", "tiny", "--start"});
    EXPECT_EQ(second.code, 0) << second.err << journal();
    // So far nothing was an end of the host; now systemd stops the other unit, as when it goes
    // down.
    EXPECT_EQ(run({"systemctl", "is-active", containers_unit}).out, "active\n")
        << "lodged wants it";
    const CliResult down = run({"systemctl", "stop", containers_unit});
    EXPECT_EQ(down.code, 0) << down.err << journal();
    for (const char* name : {"web1", "web2"}) {
        EXPECT_EQ(host.field(name, "state"), "stopped");
        EXPECT_EQ(host.field(name, "last_exit"), "halt");
    }
}

} // namespace
} // namespace lodge::test
