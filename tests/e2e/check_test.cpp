// A running host is damaged by hand: `host check` names it, `--repair` mends it, and nothing else
// is touched. Programs that know nothing of Lodge are the witnesses.
#include "daemon/store/store.hpp"
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/left_loop.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/network_lab.hpp"
#include "tests/support/patience.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr int kAgree = 0;
constexpr int kDisagree = 22;
const std::string kNobody = "0123abcd-4567-4abc-8def-0123456789ab"; // a UUID of no container
const std::string kNobodysCard = "ve-0123abcd4567";

class CheckTest : public LodgeTest {
  protected:
    std::string state() const { return host->directory() + "/state"; }
    std::string place_of(const std::string& uuid) const { return state() + "/containers/" + uuid; }
    void make(const std::string& name, const std::vector<std::string>& more = {}) {
        std::vector<std::string> words{"create", name, "--template", "tiny", "--disk", "64M"};
        words.insert(words.end(), more.begin(), more.end());
        const CliResult made = host->lodge(words);
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    }
    // What has answered may clean up behind itself still, and that is not judged.
    void await_rest() {
        const Deadline deadline = Deadline::after(patience(10s));
        while (host->lodge({"host", "check", "--json"}).out.find("\"busy\": []") ==
               std::string::npos) {
            ASSERT_FALSE(deadline.expired()) << host->daemon_log();
        }
    }
    json check(int code, bool repair = false) {
        std::vector<std::string> words{"host", "check", "--json"};
        if (repair) {
            words.emplace_back("--repair");
        }
        const CliResult result = host->lodge(words);
        EXPECT_EQ(result.code, code) << result.out << result.err << host->daemon_log();
        json answer = json::parse(result.out, nullptr, false);
        EXPECT_TRUE(answer.is_object()) << result.out;
        return answer.contains("findings") ? answer : json{{"findings", json::array()}};
    }
    // "STEP SUBJECT STATE" of each.
    static std::vector<std::string> findings(const json& report) {
        std::vector<std::string> all;
        for (const json& one : report.at("findings")) {
            all.push_back(one.value("step", "") + " " + one.value("subject", "") + " " +
                          one.value("state", ""));
        }
        return all;
    }
    // A check names exactly these and touches nothing; a repair mends them; then all agrees.
    void expect_all_mended(const std::vector<std::string>& all,
                           const std::function<bool()>& is_damaged) {
        const auto with = [&](const std::string& state) {
            std::vector<std::string> lines;
            for (const std::string& one : all) {
                lines.push_back(one + " " + state);
            }
            return lines;
        };
        await_rest();
        ASSERT_TRUE(is_damaged());
        EXPECT_EQ(findings(check(kDisagree)), with("mendable"));
        EXPECT_TRUE(is_damaged()) << "a check alone mends nothing";
        EXPECT_EQ(findings(check(kAgree, true)), with("mended"));
        const Deadline deadline = Deadline::after(patience(5s)); // a link's carrier takes its time
        while (is_damaged()) {
            ASSERT_FALSE(deadline.expired()) << host->daemon_log();
        }
        EXPECT_EQ(findings(check(kAgree)), std::vector<std::string>{});
    }
    void expect_mended(const std::string& what, const std::function<bool()>& is_damaged) {
        expect_all_mended({what}, is_damaged);
    }
    // Beside them stands the daemon's claim.
    static std::string rules() {
        return witness({"nft", "-s", "list", "table", "inet", "lodge"}) +
               witness({"nft", "-s", "list", "table", "bridge", "lodge"});
    }
    [[nodiscard]] std::string card_of(const std::string& name) const {
        return host->field(name, "card");
    }
    [[nodiscard]] std::string address_of(const std::string& name) const {
        const json info = json::parse(host->lodge({"info", name, "--json"}).out);
        const std::string cidr = info.at("addresses").at(0);
        return cidr.substr(0, cidr.find('/'));
    }
    // This is told each time, and nobody mends it.
    void expect_told(const std::string& what) {
        await_rest();
        for (const bool repair : {false, true}) {
            const json report = check(kDisagree, repair);
            EXPECT_EQ(findings(report), std::vector<std::string>{what + " found"});
        }
    }
    void expect_agreement() {
        await_rest();
        EXPECT_EQ(findings(check(kAgree)), std::vector<std::string>{});
    }
    // Our control groups lie below it.
    std::string groups() {
        const json info = json::parse(host->lodge({"host", "info", "--json"}).out);
        return info.at("cgroup").value("mount_point", "") + info.at("cgroup").value("base", "");
    }
    void write_database(const std::string& sql) {
        auto database = daemon::open_store(state() + "/lodge.db");
        ASSERT_TRUE(database) << database.error().to_string();
        const Status written = (*database)->write(db::Durability::process,
                                                  [&](db::Transaction& transaction) -> Status {
                                                      RETURN_IF_ERROR(transaction.execute(sql));
                                                      return {};
                                                  });
        ASSERT_TRUE(written) << written.error().to_string();
    }
};

bool has_link(const std::string& name) {
    return witness({"ip", "-o", "link"}).find(" " + name + "@") != std::string::npos;
}

// nft(8) does not print the names of interfaces in sets.
bool admits(const std::string& mac) {
    return witness({"nft", "list", "set", "bridge", "lodge", "macs"}).find(mac) !=
           std::string::npos;
}

bool is_mounted(const std::string& path) {
    return witness({"findmnt", "-n", "-o", "TARGET", "--raw"}).find(path + "\n") !=
           std::string::npos;
}

// To this image, which may be deleted: once it is free, somebody else may get the same device.
bool is_attached(const std::string& device, const std::string& image) {
    return (witness({"losetup", "-n", "--raw", "-O", "NAME", "-j", image}) + "\n")
               .find(device + "\n") != std::string::npos;
}

TEST_F(CheckTest, SaysThatAHealthyHostAgrees) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(make("web2", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(make("web3", {"--start"}));
    ASSERT_EQ(host->lodge({"freeze", "web3"}).code, 0);
    expect_agreement();
    const std::string pid = host->field("web2", "pid");
    const CliResult repaired = host->lodge({"host", "check", "--repair"});
    EXPECT_EQ(repaired.code, kAgree) << repaired.out;
    EXPECT_EQ(repaired.out, "");
    EXPECT_NE(repaired.err.find("agree"), std::string::npos) << repaired.err;
    EXPECT_EQ(host->field("web2", "pid"), pid);
    EXPECT_EQ(host->field("web3", "state"), "frozen");
}

TEST_F(CheckTest, RemovesALeftoverVolumeAndNoOtherDirectory) {
    const std::string foreign = place_of("web1.old");
    fs::create_directories(foreign);
    fs::create_directories(place_of(kNobody));
    ASSERT_TRUE(kernel::open_file(place_of(kNobody) + "/volume.img", O_WRONLY | O_CREAT, 0600));
    expect_mended("remove_directory " + kNobody, [&] { return fs::exists(place_of(kNobody)); });
    EXPECT_TRUE(fs::remove(foreign));
}

TEST_F(CheckTest, DetachesALoopDeviceOfOursAndNoOther) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    const std::string uuid = host->field("web1", "uuid");
    const std::string image = place_of(uuid) + "/volume.img";
    const std::string foreign = witness({"losetup", "--find", "--show", image});
    const std::string device = foreign.substr(0, foreign.find('\n'));
    for (const Shown shown : {Shown::whole_path, Shown::name_alone}) {
        const auto ours = leave_loop(image, "lodge-" + uuid, shown);
        ASSERT_TRUE(ours) << ours.error().to_string();
        expect_mended("close_volume web1", [&] { return is_attached(*ours, image); });
        EXPECT_TRUE(is_attached(device, image)) << "over the same image, and not ours";
    }
    EXPECT_EQ(witness({"losetup", "-d", device}), "");
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

TEST_F(CheckTest, DetachesALoopDeviceBeforeItsImageGoes) {
    fs::create_directories(place_of(kNobody));
    const std::string image = place_of(kNobody) + "/volume.img";
    ASSERT_TRUE(kernel::open_file(image, O_WRONLY | O_CREAT, 0600));
    fs::resize_file(image, 64 << 20);
    const auto loop = leave_loop(image, "lodge-" + kNobody);
    ASSERT_TRUE(loop) << loop.error().to_string();
    const std::vector<std::string> both{"close_volume " + kNobody + " mended",
                                        "remove_directory " + kNobody + " mended"};
    EXPECT_EQ(findings(check(kAgree, true)), both);
    EXPECT_FALSE(is_attached(*loop, image));
    EXPECT_FALSE(fs::exists(place_of(kNobody)));
}

TEST_F(CheckTest, RemovesACardOfNobodyAndNoOtherLink) {
    for (const std::string& link : {kNobodysCard, std::string("ve-uplink")}) {
        ASSERT_EQ(witness({"ip",
                           "link",
                           "add",
                           link,
                           "type",
                           "veth",
                           "peer",
                           "name",
                           "peer-" + link.substr(3, 4)}),
                  "");
    }
    expect_mended("remove_card " + kNobodysCard, [] { return has_link(kNobodysCard); });
    EXPECT_TRUE(has_link("ve-uplink"));
    EXPECT_EQ(witness({"ip", "link", "del", "ve-uplink"}), "");
}

TEST_F(CheckTest, SweepsAControlGroupOfNobodyAndNoOther) {
    const std::string stray = groups() + "/ct-" + kNobody;
    const std::string foreign = groups() + "/ct-backup";
    ASSERT_TRUE(fs::create_directory(stray));
    ASSERT_TRUE(fs::create_directory(foreign));
    expect_mended("sweep " + kNobody, [&] { return fs::exists(stray); });
    EXPECT_TRUE(fs::remove(foreign));
}

TEST_F(CheckTest, ReturnsALostElementToARunningContainer) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    const std::string pid = host->field("web1", "pid");
    const std::string mac = host->field("web1", "mac_address");
    const std::string whole = rules();
    for (const char* set : {"ports", "macs", "v4", "v6"}) {
        ASSERT_EQ(witness({"nft", "flush", "set", "bridge", "lodge", set}), "");
    }
    expect_mended("admit_card web1", [&] { return !admits(mac); });
    EXPECT_EQ(rules(), whole);
    ASSERT_EQ(witness({"nft", "flush", "set", "bridge", "lodge", "macs"}), ""); // the rest stays
    expect_mended("admit_card web1", [&] { return !admits(mac); });
    ASSERT_EQ(witness({"nft", "flush", "ruleset"}), ""); // as a restart of nftables.service does
    expect_all_mended({"mend_firewall lodge", "admit_card web1"}, [&] { return !admits(mac); });
    EXPECT_EQ(rules(), whole);
    EXPECT_EQ(host->field("web1", "pid"), pid) << "it runs on";
}

bool answers(const std::string& address) {
    return witness({"ping", "-c1", "-W1", address}).find(" 0% packet loss") != std::string::npos;
}

bool will_answer(const std::string& address) {
    const Deadline deadline = Deadline::after(patience(5s));
    while (!answers(address)) {
        if (deadline.expired()) {
            return false;
        }
    }
    return true;
}

TEST_F(CheckTest, MendsTheBridgeItsCardsAndForwarding) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    const std::string address = address_of("web1");
    const std::string card = card_of("web1");
    const auto silent = [&] { return !answers(address); };
    ASSERT_TRUE(answers(address));
    const std::string bridge = "mend_bridge lodge0";
    ASSERT_EQ(witness({"ip", "addr", "flush", "dev", "lodge0"}), "");
    expect_mended(bridge, silent);
    ASSERT_EQ(witness({"ip", "link", "set", "lodge0", "down"}), "");
    expect_mended(bridge, silent);
    ASSERT_EQ(witness({"ip", "link", "del", "lodge0"}), "");
    expect_all_mended({bridge, "mend_card web1"}, silent);
    ASSERT_EQ(witness({"ip", "link", "set", card, "nomaster"}), "");
    expect_mended("mend_card web1", silent);
    ASSERT_EQ(witness({"ip", "link", "set", card, "down"}), "");
    expect_mended("mend_card web1", silent);
    for (const std::string file : {"ipv4/ip_forward", "ipv6/conf/all/forwarding"}) {
        const std::string path = "/proc/sys/net/" + file;
        ASSERT_TRUE(kernel::write_control(AT_FDCWD, path, "0"));
        expect_mended("mend_forwarding lodge0",
                      [&] { return kernel::read_file(path, 8).value() == "0\n"; });
    }
    ASSERT_EQ(witness({"nft", "flush", "chain", "inet", "lodge", "postrouting"}), "");
    expect_mended("mend_firewall lodge", [] {
        return witness({"nft", "list", "table", "inet", "lodge"}).find("masquerade") ==
               std::string::npos;
    });
}

TEST_F(CheckTest, MendsWithTheNextStartOfAContainer) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(make("web2"));
    const std::string address = address_of("web1");
    const std::string whole = witness({"nft", "-s", "list", "table", "inet", "lodge"});
    ASSERT_EQ(witness({"ip", "link", "del", "lodge0"}), "");
    ASSERT_EQ(witness({"nft", "delete", "table", "inet", "lodge"}), "");
    ASSERT_TRUE(kernel::write_control(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "0"));
    const CliResult started = host->lodge({"start", "web2"});
    EXPECT_EQ(started.code, 0) << started.err;
    EXPECT_TRUE(will_answer(address)) << "it ran all the time";
    EXPECT_TRUE(will_answer(address_of("web2")));
    EXPECT_EQ(witness({"nft", "-s", "list", "table", "inet", "lodge"}), whole);
    expect_agreement();
    ASSERT_EQ(witness({"ip", "link", "del", "lodge0"}), "");
    host->kill_daemon();
    host->start_daemon();
    EXPECT_TRUE(will_answer(address)) << "the next start of lodged";
    expect_agreement();
}

// With directories, control group, ids, bridge and pool of its own: the cards would be nobody's.
TEST_F(CheckTest, RefusesASecondDaemonInItsNetworkNamespace) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    const std::string before = rules();
    const std::string card = card_of("web1");
    LodgeHost second;
    second.configure("network: {bridge: lodge7, pools: [10.78.0.1/16]}\n");
    for (const bool is_down : {false, true}) {
        if (is_down) {
            host->kill_daemon();
        }
        const CliResult refused = second.run_daemon();
        EXPECT_NE(refused.code, 0);
        EXPECT_NE((refused.out + refused.err).find("network namespace"), std::string::npos)
            << refused.out << refused.err;
        EXPECT_TRUE(has_link(card));
        EXPECT_EQ(rules(), before);
        EXPECT_EQ(witness({"ip", "-o", "link", "show", "type", "bridge"}).find("lodge7"),
                  std::string::npos);
    }
    host->start_daemon();
    expect_agreement();
    EXPECT_TRUE(will_answer(address_of("web1")));
}

TEST_F(CheckTest, ExpelsAnElementOfNobody) {
    const std::string mac = "02:00:00:00:00:17";
    const std::string before = rules();
    ASSERT_EQ(
        witness({"nft", "add element bridge lodge macs { " + kNobodysCard + " . " + mac + " }"}),
        "");
    expect_mended("expel_card " + kNobodysCard, [&] { return admits(mac); });
    EXPECT_EQ(rules(), before);
}

TEST_F(CheckTest, TellsOfAContainerWhoseVolumeIsGone) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_NO_FATAL_FAILURE(make("web2"));
    ASSERT_TRUE(fs::remove(place_of(host->field("web1", "uuid")) + "/volume.img"));
    expect_told("report web1");
    const CliResult text = host->lodge({"host", "check"});
    EXPECT_EQ(text.code, kDisagree);
    EXPECT_NE(text.out.find("'web1' found: its volume is gone from"), std::string::npos)
        << text.out;
    EXPECT_EQ(host->lodge({"destroy", "web1"}).code, 0) << host->daemon_log();
    expect_agreement();
}

TEST_F(CheckTest, UnmountsWhatARemovedTemplateLeft) {
    const std::string hex(64, 'd');
    const std::string place = host->directory() + "/run/templates/" + hex;
    const std::string known = host->field_of_template("tiny", "digest");
    ASSERT_TRUE(fs::exists(host->directory() + "/run/templates/" + known.substr(7)));
    ASSERT_TRUE(fs::create_directory(place));
    ASSERT_EQ(::mount("left", place.c_str(), "tmpfs", 0, nullptr), 0);
    expect_mended("unmount_image sha256:" + hex, [&] { return is_mounted(place); });
    EXPECT_FALSE(fs::exists(place));
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"})); // of the one that stays
}

TEST_F(CheckTest, DiscardsAStaleWorkDirectoryAndAnImageOfNobody) {
    const std::string templates = state() + "/templates/";
    const std::string foreign = templates + ".work-backup";
    fs::create_directories(foreign);
    fs::create_directories(templates + ".work-" + kNobody + "/tree");
    expect_mended("discard_work " + kNobody,
                  [&] { return fs::exists(templates + ".work-" + kNobody); });
    EXPECT_TRUE(fs::remove(foreign));
    const std::string hex(64, 'd');
    fs::create_directories(templates + hex);
    ASSERT_TRUE(kernel::open_file(templates + hex + "/template.erofs", O_WRONLY | O_CREAT, 0600));
    expect_mended("remove_image sha256:" + hex, [&] { return fs::exists(templates + hex); });
}

TEST_F(CheckTest, StopsWhatTheRowAloneSaysToRun) {
    ASSERT_NO_FATAL_FAILURE(make("web1"));
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0); // its row is of this boot
    ASSERT_NO_FATAL_FAILURE(write_database("UPDATE container SET state = 'running'"));
    expect_mended("stop web1", [&] { return host->field("web1", "state") == "running"; });
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

// It is the next start's, which knows that nobody is at work on it.
TEST_F(CheckTest, TellsOfAForgottenOperationAndDoesNotFinishIt) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(
        write_database("INSERT INTO operation SELECT '" + kNobody +
                       "', 'stop', 'web1', uuid, boot_id FROM container WHERE name = 'web1'"));
    expect_told("report web1");
    EXPECT_EQ(host->field("web1", "state"), "running");
    ASSERT_NO_FATAL_FAILURE(write_database("DELETE FROM operation"));
    expect_agreement();
}

TEST_F(CheckTest, SaysWhatCouldNotBeMended) {
    const std::string busy = place_of(kNobody) + "/mounted";
    fs::create_directories(busy);
    ASSERT_EQ(::mount("busy", busy.c_str(), "tmpfs", 0, nullptr), 0);
    const json report = check(kDisagree, true);
    EXPECT_EQ(findings(report),
              std::vector<std::string>{"remove_directory " + kNobody + " unmended"});
    EXPECT_EQ(report["findings"][0]["error"].value("code", ""), "busy") << report.dump();
    ASSERT_EQ(::umount(busy.c_str()), 0);
    check(kAgree, true);
    expect_agreement();
}

TEST_F(CheckTest, LeavesOutWhatAnOperationIsAtWorkOn) {
    ASSERT_NO_FATAL_FAILURE(make("web1", {"--start"}));
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    const std::string mac = host->field("web1", "mac_address");
    // An init that ignores what it is asked.
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/stubborn", ""}).code, 0);
    CliProcess graceful(*host, {"stop", "web1", "--timeout", "1h"}, CliStreams{});
    expect_field("web1", "busy_with", "stop");
    ASSERT_EQ(witness({"nft", "flush set bridge lodge macs"}), "");
    for (const bool repair : {false, true}) {
        const json report = check(kAgree, repair);
        EXPECT_EQ(findings(report), std::vector<std::string>{});
        EXPECT_EQ(report.at("busy"), (json{{{"verb", "stop"}, {"resource", "web1"}}}));
    }
    EXPECT_FALSE(admits(mac)) << "a repair has touched it";
    EXPECT_NE(host->lodge({"host", "check"}).out.find("busy: stop web1"), std::string::npos);
    EXPECT_EQ(host->lodge({"kill", "web1"}).code, 0);
    EXPECT_EQ(graceful.wait(), 0) << host->daemon_log();
    expect_field("web1", "busy_with", "");
    EXPECT_EQ(host->field("web1", "state"), "stopped");
}

// Whatever moment a look falls on: nothing is found, nothing is touched, nobody is held up.
TEST_F(CheckTest, RepairsBesideOperationsAndDisturbsNone) {
    ASSERT_NO_FATAL_FAILURE(make("bystander", {"--start"}));
    const std::string pid = host->field("bystander", "pid");
    std::atomic<int> working = 2;
    const auto work = [&](const std::string& name) {
        for (int round = 0; round < 10; ++round) {
            for (const std::vector<std::string>& verb :
                 {std::vector<std::string>{"create", name, "--template", "tiny", "--start"},
                  {"freeze", name},
                  {"thaw", name},
                  {"restart", name, "--force"},
                  {"stop", name, "--force"},
                  {"start", name},
                  {"destroy", name, "--force"}}) {
                const CliResult done = host->lodge(verb);
                EXPECT_EQ(done.code, 0) << verb[0] << ": " << done.err;
            }
        }
        --working;
    };
    int looks = 0;
    {
        const std::jthread first(work, "web1");
        const std::jthread second(work, "web2");
        while (working > 0) {
            EXPECT_EQ(findings(check(kAgree, ++looks % 2 == 0)), std::vector<std::string>{});
        }
    }
    EXPECT_GT(looks, 10);
    EXPECT_EQ(host->field("bystander", "pid"), pid);
    expect_agreement();
}

TEST_F(CheckTest, TellsWhatItMendedAsEventsAndInTheLog) {
    const pid_t reader = host->lodge_in_background({"events"});
    const std::string told = "daemon " + kNobody + " mended: remove_directory: ";
    // Nothing tells when it has subscribed: it happens until it has seen one.
    const Deadline deadline = Deadline::after(patience(20s));
    std::string seen;
    while (seen.find(told) == std::string::npos && !deadline.expired()) {
        fs::create_directories(place_of(kNobody));
        check(kAgree, true);
        seen =
            kernel::read_file(host->directory() + "/lodge.log", std::size_t{1} << 20).value_or("");
    }
    (void)::kill(reader, SIGTERM);
    (void)::waitpid(reader, nullptr, 0);
    EXPECT_NE(seen.find(told), std::string::npos) << seen;
    EXPECT_NE(host->daemon_log().find("recovery: '" + kNobody + "' mended: remove_directory"),
              std::string::npos)
        << host->daemon_log();
}

} // namespace

} // namespace lodge::test
