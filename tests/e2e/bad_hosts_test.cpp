// A host that is not as it should be: full, without a daemon, with a file that is no database, with
// a user who has no business here.
#include "lib/kernel/fs.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/lodge_host.hpp"

#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::test {

namespace {

class BadHostsTest : public LodgeTest {
  protected:
    // A daemon that is to give up by itself.
    CliResult lodged(const std::vector<std::string>& options) {
        std::vector<std::string> arguments{
            "--foreground", "--run-dir", host->directory() + "/other-run"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        return run_to_end(LODGE_BIN_DIR "/lodged", arguments);
    }
    void expect_refused(const CliResult& result, const std::string& says) {
        EXPECT_EQ(result.code, 1) << result.err;
        EXPECT_NE(result.err.find("level=error"), std::string::npos) << result.err;
        EXPECT_NE(result.err.find(says), std::string::npos) << result.err;
    }
};

TEST_F(BadHostsTest, TellsThatNoDaemonRuns) {
    host->stop_daemon();
    const CliResult plain = host->lodge({"list"});
    EXPECT_EQ(plain.code, 20) << plain.err;
    EXPECT_NE(plain.err.find("lodged is not running"), std::string::npos) << plain.err;
    EXPECT_NE(plain.err.find(host->socket()), std::string::npos) << plain.err;
    const CliResult json = host->lodge({"--json", "start", "web1"});
    EXPECT_EQ(json.code, 20);
    EXPECT_NE(json.out.find("\"code\": \"unreachable\""), std::string::npos) << json.out;
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "true"}).code, 20);
    host->kill_daemon(); // nothing is there to be killed
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    host->kill_daemon(); // its socket stays
    EXPECT_EQ(host->lodge({"list"}).code, 20);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->lodge({"list"}).code, 0);
}

TEST_F(BadHostsTest, RefusesASocketPathThatIsTooLong) {
    const std::string path = host->directory() + "/" + std::string(120, 's');
    const CliResult cli = host->lodge({"--socket", path, "list"});
    EXPECT_EQ(cli.code, 2);
    EXPECT_NE(cli.err.find("too long"), std::string::npos) << cli.err;
    EXPECT_NE(cli.err.find(path), std::string::npos) << cli.err;
    EXPECT_EQ(host->lodge({"--socket", path, "exec", "web1", "--", "true"}).code, 2);
    expect_refused(lodged({"--state-dir", host->directory() + "/other-state", "--socket", path}),
                   path);
    EXPECT_FALSE(std::filesystem::exists(host->directory() + "/other-state/lodge.db"))
        << "it is refused before anything is made";
}

TEST_F(BadHostsTest, RefusesADatabaseThatIsNone) {
    const std::string state = host->directory() + "/other-state";
    std::filesystem::create_directory(state);
    const auto directory = kernel::open_directory(state);
    ASSERT_TRUE(directory);
    ASSERT_TRUE(put_file(directory->get(), "lodge.db", std::string(10'000, 'x')));
    expect_refused(lodged({"--config", host->directory() + "/lodge.yaml", "--state-dir", state}),
                   state + "/lodge.db");
}

TEST_F(BadHostsTest, TellsTheLineOfAConfigurationsMistake) {
    const auto directory = kernel::open_directory(host->directory());
    ASSERT_TRUE(directory);
    for (const auto& [text, says] : {std::pair{"cgroup: /x\ncolour: red\n", "wrong.yaml:2"},
                                     {"cgroup: /x\n# why\ncgroup: /y\n", "wrong.yaml:3"},
                                     {"cgroup: [x\n", "wrong.yaml"}}) {
        ASSERT_TRUE(put_file(directory->get(), "wrong.yaml", text));
        expect_refused(lodged({"--config",
                               host->directory() + "/wrong.yaml",
                               "--state-dir",
                               host->directory() + "/other-state"}),
                       says);
    }
    // A word of the command line is no matter for the log.
    const CliResult missing = lodged({"--config", "/no/such.yaml"});
    EXPECT_EQ(missing.code, 2) << missing.err;
    EXPECT_NE(missing.err.find("/no/such.yaml"), std::string::npos) << missing.err;
}

TEST_F(BadHostsTest, RefusesUsersWithoutPrivileges) {
    // Programs and socket where everybody comes by; the daemon's socket itself decides.
    const TempDir place;
    ASSERT_EQ(::chmod(place.path().c_str(), 0755), 0);
    for (const char* program : {"lodge", "lodged"}) {
        std::filesystem::copy_file(std::string(LODGE_BIN_DIR "/") + program,
                                   place.path() + "/" + program);
    }
    std::filesystem::rename(host->socket(), place.path() + "/lodged.sock");
    const auto as_nobody = [&](const std::string& program, std::vector<std::string> arguments) {
        arguments.insert(
            arguments.begin(),
            {"--reuid=65534", "--regid=65534", "--clear-groups", place.path() + "/" + program});
        return run_to_end("setpriv", arguments);
    };
    const CliResult plain = as_nobody("lodge", {"--socket", place.path() + "/lodged.sock", "list"});
    EXPECT_EQ(plain.code, 7) << plain.err;
    EXPECT_NE(plain.err.find(place.path() + "/lodged.sock"), std::string::npos) << plain.err;
    const CliResult json = as_nobody(
        "lodge", {"--socket", place.path() + "/lodged.sock", "--json", "destroy", "web1"});
    EXPECT_EQ(json.code, 7);
    EXPECT_NE(json.out.find("\"permission_denied\""), std::string::npos) << json.out;
    const CliResult daemon = as_nobody("lodged", {"--state-dir", place.path() + "/state"});
    EXPECT_EQ(daemon.code, 1);
    EXPECT_NE(daemon.err.find("root"), std::string::npos) << daemon.err;
    std::filesystem::rename(place.path() + "/lodged.sock", host->socket());
}

/// The state directory on a small filesystem of its own.
class FullHostTest : public LodgeTest {
  protected:
    void prepare_host() override {
        const std::string image = host->directory() + "/small.img";
        const std::string state = host->directory() + "/state";
        std::filesystem::create_directory(state);
        ASSERT_EQ(run_to_end("truncate", {"-s", "256M", image}).code, 0);
        ASSERT_EQ(run_to_end("mke2fs", {"-q", "-t", "ext4", "-m", "0", image}).code, 0);
        ASSERT_EQ(run_to_end("mount", {"-o", "loop", image, state}).code, 0); // ~LodgeHost unmounts
    }
    // Leaves so much room.
    void fill(std::uintmax_t left) {
        const std::string file = host->directory() + "/state/filler";
        std::filesystem::remove(file);
        const auto room = std::filesystem::space(host->directory() + "/state").available;
        ASSERT_GT(room, left);
        ASSERT_EQ(run_to_end("fallocate", {"-l", std::to_string(room - left), file}).code, 0);
    }
    std::size_t entries(const std::string& part) {
        const std::filesystem::directory_iterator all(host->directory() + "/state/" + part);
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }
    void expect_no_space(const CliResult& result, const std::string& says) {
        EXPECT_EQ(result.code, 9) << result.err << host->daemon_log();
        EXPECT_NE(result.err.find(says), std::string::npos) << result.err;
    }
};

TEST_F(FullHostTest, RefusesAContainerForWhichThereIsNoRoom) {
    ASSERT_NO_FATAL_FAILURE(fill(2'000'000));
    expect_no_space(host->lodge({"create", "web1", "--template", "tiny", "--disk", "64M"}), "free");
    EXPECT_EQ(entries("containers"), 0U);
    EXPECT_EQ(host->lodge({"list", "--json"}).out, "[]\n");
    std::filesystem::remove(host->directory() + "/state/filler");
    EXPECT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--disk", "64M"}).code, 0)
        << "once there is room: " << host->daemon_log();
}

TEST_F(FullHostTest, UndoesACreateThatRunsOutOfSpace) {
    const std::string tree = host->directory() + "/tiny";
    ASSERT_EQ(
        run_to_end("dd", {"if=/dev/urandom", "of=" + tree + "/root/big", "bs=1M", "count=8"}).code,
        0);
    const std::string tar = host->directory() + "/big.tar";
    ASSERT_EQ(run_to_end("tar", {"-cf", tar, "-C", tree, "."}).code, 0);
    ASSERT_EQ(host->lodge({"template", "import", "big", tar}).code, 0);
    // More than is asked for beforehand (a twentieth), less than the unpacked template takes.
    ASSERT_NO_FATAL_FAILURE(fill(6'000'000));
    expect_no_space(
        host->lodge(
            {"create", "web1", "--template", "big", "--disk", "64M", "--rootfs", "private"}),
        "space");
    EXPECT_EQ(entries("containers"), 0U);
    EXPECT_EQ(host->lodge({"list", "--json"}).out, "[]\n");
    EXPECT_EQ(host->lodge({"template", "remove", "big"}).code, 0);
}

TEST_F(FullHostTest, UndoesAnImportThatRunsOutOfSpace) {
    ASSERT_NO_FATAL_FAILURE(fill(1'000'000));
    expect_no_space(host->lodge({"template", "import", "second", host->directory() + "/tiny.tar"}),
                    "space");
    EXPECT_EQ(entries("templates"), 1U) << "only tiny's";
    EXPECT_EQ(host->lodge({"template", "info", "second"}).code, 3);
}

} // namespace

} // namespace lodge::test
