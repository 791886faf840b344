// The database is lost, and rebuilt from the records beside volumes and images.
#include "daemon/records/places.hpp"
#include "daemon/records/record.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/boot_test.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/secrets.hpp"

#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <string>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class RescueTest : public BootTest {
  protected:
    std::string state() const { return host->directory() + "/state"; }
    std::string place_of(const std::string& uuid) const { return state() + "/containers/" + uuid; }
    void
    make(const std::string& name, bool start = false, const std::vector<std::string>& more = {}) {
        std::vector<std::string> words{"create", name, "--template", "tiny", "--disk", "64M"};
        words.insert(words.end(), more.begin(), more.end());
        if (start) {
            words.emplace_back("--start");
        }
        const CliResult made = host->lodge(words);
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    }
    void lose_database() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            fs::remove(state() + "/lodge.db" + suffix);
        }
    }
    CliResult recover(std::vector<std::string> more = {}) {
        more.insert(more.begin(),
                    {"recover",
                     "--config",
                     host->directory() + "/lodge.yaml",
                     "--state-dir",
                     state(),
                     "--run-dir",
                     host->directory() + "/run"});
        return host->lodge(std::move(more));
    }
    // strace(1) kills it at the `count`-th of these calls. False: it made fewer, and came to its
    // end.
    bool dies_recovering(const std::string& call, int count) {
        const std::string kill = call + ":signal=SIGKILL:when=" + std::to_string(count);
        const auto ended = kernel::run_program({.path = "strace",
                                                .arguments = {"--follow-forks",
                                                              "--output=/dev/null",
                                                              "--trace=" + call,
                                                              "--inject=" + kill,
                                                              LODGE_BIN_DIR "/lodged",
                                                              "--recover",
                                                              "--config",
                                                              host->directory() + "/lodge.yaml",
                                                              "--state-dir",
                                                              state(),
                                                              "--run-dir",
                                                              host->directory() + "/run"},
                                                .deadline = Deadline::after(patience(30s)),
                                                .judged = true});
        if (ended) {
            EXPECT_EQ(ended->exit_code, 0) << ended->standard_error;
            return false;
        }
        const std::string why = ended.error().to_string(); // strace ends as what it traced
        EXPECT_NE(why.find("ended by signal 9"), std::string::npos) << why;
        return why.find("ended by signal 9") != std::string::npos;
    }
    std::set<std::string> files() {
        std::set<std::string> paths;
        for (const auto& entry : fs::recursive_directory_iterator(state())) {
            paths.insert(entry.path());
        }
        return paths;
    }
    // Values of `info` that must not change.
    std::vector<std::string> facts(const std::string& name) {
        std::vector<std::string> all;
        for (const char* key : {"uuid",
                                "state",
                                "pid",
                                "address",
                                "prefix",
                                "mac_address",
                                "uid_base",
                                "disk_bytes",
                                "hostname",
                                "template",
                                "encryption",
                                "onboot",
                                "bootorder",
                                "image"}) {
            all.push_back(std::string(key) + "=" + host->field(name, key));
        }
        return all;
    }
    void replace_record(const std::string& uuid, const std::string& text) {
        const auto directory = kernel::open_directory(place_of(uuid));
        ASSERT_TRUE(directory);
        ASSERT_TRUE(kernel::replace_file(directory->get(), daemon::kRecordName, text, 0600));
    }
    std::string record(const std::string& uuid) {
        return kernel::read_file(place_of(uuid) + "/" + daemon::kRecordName, daemon::kLongestRecord)
            .value_or("");
    }
};

TEST_F(RescueTest, BringsBackAllThatThereWas) {
    // A policy is restored too, and starts no container that was stopped in this boot.
    ASSERT_NO_FATAL_FAILURE(make("web1", false, {"--onboot", "yes", "--bootorder", "7"}));
    ASSERT_NO_FATAL_FAILURE(make("web2", true));
    ASSERT_NO_FATAL_FAILURE(make("web3", true));
    ASSERT_EQ(host->lodge({"freeze", "web3"}).code, 0) << host->daemon_log();
    const auto frozen = facts("web3");
    const auto stopped = facts("web1");
    const auto running = facts("web2");
    const std::string digest = host->field_of_template("tiny", "digest");
    host->kill_daemon();
    lose_database();
    const CliResult refused = host->run_daemon();
    EXPECT_EQ(refused.code, 1);
    EXPECT_NE(refused.err.find("lodge recover"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("3 container(s)"), std::string::npos) << refused.err;
    EXPECT_FALSE(fs::exists(state() + "/lodge.db")) << "a refusal makes none";
    const CliResult recovered = recover({"--json"});
    ASSERT_EQ(recovered.code, 0) << recovered.err << recovered.out;
    EXPECT_NE(recovered.out.find("\"left\": []"), std::string::npos) << recovered.out;
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(facts("web1"), stopped);
    EXPECT_EQ(facts("web2"), running) << "the pid among it";
    EXPECT_EQ(facts("web3"), frozen);
    EXPECT_EQ(host->field_of_template("tiny", "digest"), digest);
    EXPECT_EQ(host->lodge({"exec", "web2", "--", "/bin/guest", "exit", "5"}).code, 5)
        << host->daemon_log();
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
    ASSERT_NO_FATAL_FAILURE(make("web4"));
}

TEST_F(RescueTest, AfterARebootBringsUpWhatWasUp) {
    ASSERT_NO_FATAL_FAILURE(make("up", true));
    ASSERT_NO_FATAL_FAILURE(make("never", true, {"--onboot", "no"}));
    ASSERT_NO_FATAL_FAILURE(make("down"));
    ASSERT_NO_FATAL_FAILURE(make("stopped", true));
    ASSERT_EQ(host->lodge({"stop", "stopped", "--force"}).code, 0);
    // Its monitor goes behind the answer; one that outlived the power would tell of the same boot.
    ASSERT_NO_FATAL_FAILURE(expect_field("stopped", "busy_with", ""));
    host->cut_power({"up", "never"});
    lose_database();
    const CliResult recovered = recover();
    ASSERT_EQ(recovered.code, 0) << recovered.err;
    ASSERT_NO_FATAL_FAILURE(boot("11111111-2222-3333-4444-555555555555"));
    expect_field("up", "state", "running");
    for (const char* name : {"never", "down", "stopped"}) {
        EXPECT_EQ(host->field(name, "state"), "stopped") << name;
        EXPECT_EQ(host->field(name, "start_planned"), "false") << name;
    }
}

TEST_F(RescueTest, AKillAtAnyOfItsWritesCostsNoMoreThanAnotherTry) {
    ASSERT_NO_FATAL_FAILURE(make("web1", false, {"--onboot", "yes", "--bootorder", "7"}));
    ASSERT_NO_FATAL_FAILURE(make("web2", true));
    const auto stopped = facts("web1");
    const auto running = facts("web2");
    host->kill_daemon();
    lose_database();
    const auto expect_all = [&] {
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
        EXPECT_EQ(facts("web1"), stopped);
        EXPECT_EQ(facts("web2"), running);
        host->kill_daemon();
        lose_database();
    };
    const auto before = files();
    for (const char* call : {"pwrite64", "fdatasync", "fsync", "rename", "unlink"}) {
        SCOPED_TRACE(call);
        int kills = 0;
        while (dies_recovering(call, kills + 1)) {
            ++kills;
            if (fs::exists(state() + "/lodge.db")) { // then it is whole
                SCOPED_TRACE("killed at " + std::to_string(kills));
                ASSERT_NO_FATAL_FAILURE(expect_all());
            }
        }
        EXPECT_GT(kills, 0) << "no such call";
        std::cout << "killed at each " << call << ": " << kills << " times" << std::endl;
        ASSERT_TRUE(fs::exists(state() + "/lodge.db"));
        lose_database();
        EXPECT_EQ(files(), before) << "nothing of those that were killed is left";
    }
    ASSERT_EQ(recover().code, 0);
    ASSERT_NO_FATAL_FAILURE(expect_all());
    ASSERT_EQ(recover().code, 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
}

TEST_F(RescueTest, IsRefusedOverADatabaseAndBesideADaemon) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    const CliResult beside = recover();
    EXPECT_EQ(beside.code, 6) << beside.err;
    EXPECT_NE(beside.err.find("another lodged"), std::string::npos) << beside.err;
    host->stop_daemon();
    const CliResult over = recover({"--json"});
    EXPECT_EQ(over.code, 4) << over.err;
    EXPECT_NE(over.out.find("move it away"), std::string::npos) << over.out;
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "state"), "stopped");
}

TEST_F(RescueTest, NeedsTheMasterKey) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    host->stop_daemon();
    lose_database();
    fs::rename(state() + "/master.key", state() + "/elsewhere");
    const CliResult without = recover();
    EXPECT_EQ(without.code, 3) << without.err;
    EXPECT_NE(without.err.find("master.key"), std::string::npos) << without.err;
    EXPECT_FALSE(fs::exists(state() + "/master.key")) << "a new one would hide the loss";
    fs::rename(state() + "/elsewhere", state() + "/master.key");
    EXPECT_EQ(recover().code, 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
}

TEST_F(RescueTest, NeedsTheHostsKey) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    host->stop_daemon();
    lose_database();
    fs::rename(state() + "/host.key", state() + "/elsewhere");
    const CliResult without = recover();
    EXPECT_EQ(without.code, 3) << without.err;
    EXPECT_NE(without.err.find("host.key"), std::string::npos) << without.err;
    EXPECT_FALSE(fs::exists(state() + "/host.key"));
    EXPECT_FALSE(fs::exists(state() + "/lodge.db"));
    fs::rename(state() + "/elsewhere", state() + "/host.key");
    EXPECT_EQ(recover().code, 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
}

// Otherwise it would record a running container as stopped, and the next daemon would kill that.
TEST_F(RescueTest, RecordsNothingOfWhatItCannotAsk) {
    ASSERT_NO_FATAL_FAILURE(make("web1", true));
    const auto running = facts("web1");
    const std::string monitor = host->directory() + "/run/monitors/" + host->field("web1", "uuid");
    host->stop_daemon();
    lose_database();
    fs::rename(monitor, monitor + ".away");
    fs::create_symlink(monitor, monitor); // a link without a target is not a missing file
    const CliResult refused = recover();
    fs::remove(monitor);
    fs::rename(monitor + ".away", monitor);
    EXPECT_NE(refused.code, 0) << refused.out;
    EXPECT_NE(refused.err.find("'web1' runs"), std::string::npos) << refused.err;
    EXPECT_FALSE(fs::exists(state() + "/lodge.db"));
    ASSERT_EQ(recover().code, 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(facts("web1"), running) << host->daemon_log();
}

TEST_F(RescueTest, LeavesInPlaceWhatDoesNotHoldTogether) {
    for (const char* name : {"good", "changed", "keyless", "imageless", "twin"}) {
        ASSERT_NO_FATAL_FAILURE(make(name));
    }
    std::map<std::string, std::string> uuid;
    for (const char* name : {"good", "changed", "keyless", "imageless", "twin"}) {
        uuid[name] = host->field(name, "uuid");
    }
    host->stop_daemon();
    lose_database();
    std::string text = record(uuid["changed"]);
    text.replace(text.find("\"changed\""), 9, "\"charged\"");
    ASSERT_NO_FATAL_FAILURE(replace_record(uuid["changed"], text));
    fs::rename(place_of(uuid["keyless"]) + "/container.json", state() + "/kept.json");
    fs::rename(place_of(uuid["imageless"]) + "/volume.img", state() + "/kept.img");
    const auto host_key = host_key_of(*host).value();
    auto twin = container_record(*host, record(uuid["twin"])).value();
    const auto good = container_record(*host, record(uuid["good"])).value();
    twin.container.cards.at(0).addresses = good.container.addresses();
    ++twin.container.created_at; // the younger
    ASSERT_NO_FATAL_FAILURE(
        replace_record(uuid["twin"], daemon::encode_record(twin, host_key).value()));

    const CliResult recovered = recover();
    EXPECT_EQ(recovered.code, 21) << recovered.err;
    EXPECT_NE(recovered.out.find("good"), std::string::npos) << recovered.out;
    for (const auto& [name, why] : {std::pair{"changed", "the text was changed"},
                                    {"keyless", "without its record"},
                                    {"imageless", "not its image"},
                                    {"twin", "the address"}}) {
        const std::size_t line = recovered.err.find(uuid[name]);
        ASSERT_NE(line, std::string::npos) << name << recovered.err;
        EXPECT_NE(recovered.err.substr(line, recovered.err.find('\n', line) - line).find(why),
                  std::string::npos)
            << recovered.err;
    }
    // The daemon does not remove them as remains, nor the image that they may need.
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->lodge({"start", "good"}).code, 0) << host->daemon_log();
    EXPECT_EQ(host->field("twin", "state"), "");
    EXPECT_TRUE(fs::exists(place_of(uuid["changed"]) + "/volume.img"));
    EXPECT_TRUE(fs::exists(place_of(uuid["keyless"]) + "/volume.img"));
    EXPECT_TRUE(fs::exists(place_of(uuid["keyless"]) + "/unrecovered")) << "says why";
    EXPECT_TRUE(fs::exists(place_of(uuid["imageless"]) + "/container.json"));
    EXPECT_NE(host->daemon_log().find(uuid["keyless"]), std::string::npos);

    // After a repair and a second recovery all are there; running containers go on.
    host->stop_daemon();
    lose_database();
    text.replace(text.find("\"charged\""), 9, "\"changed\"");
    ASSERT_NO_FATAL_FAILURE(replace_record(uuid["changed"], text));
    fs::rename(state() + "/kept.json", place_of(uuid["keyless"]) + "/container.json");
    fs::rename(state() + "/kept.img", place_of(uuid["imageless"]) + "/volume.img");
    twin.container.cards.at(0).addresses = {model::CidrAddress::parse("10.77.9.9/16").value()};
    ASSERT_NO_FATAL_FAILURE(
        replace_record(uuid["twin"], daemon::encode_record(twin, host_key).value()));
    const CliResult again = recover();
    EXPECT_EQ(again.code, 0) << again.err;
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    for (const auto& [name, id] : uuid) {
        EXPECT_EQ(host->field(name, "uuid"), id);
        EXPECT_FALSE(fs::exists(place_of(id) + "/unrecovered"));
    }
    EXPECT_EQ(host->field("good", "state"), "running");
}

TEST_F(RescueTest, AnOlderCopyOfTheDatabaseCostsNoVolume) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    host->stop_daemon();
    fs::copy(state() + "/lodge.db", state() + "/copy.db");
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    ASSERT_NO_FATAL_FAILURE(make("web2"));
    const std::string uuid = host->field("web2", "uuid");
    host->stop_daemon();
    lose_database();
    fs::rename(state() + "/copy.db", state() + "/lodge.db");
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "state"), "stopped");
    EXPECT_TRUE(fs::exists(place_of(uuid) + "/volume.img"));
    EXPECT_NE(host->daemon_log().find(uuid), std::string::npos) << "it is told";
    host->stop_daemon();
    lose_database();
    EXPECT_EQ(recover().code, 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web2", "uuid"), uuid);
}

} // namespace

} // namespace lodge::test
