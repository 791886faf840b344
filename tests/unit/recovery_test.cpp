#include "daemon/containers/logged_verb.hpp"
#include "daemon/recovery/check.hpp"
#include "daemon/recovery/plan.hpp"
#include "lib/kernel/fs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

// The tables of docs/reliability.md, read from there and held against plan_recovery().
namespace lodge::daemon {
namespace {

using model::State;
using namespace std::chrono_literals;
using Cells = std::vector<std::string>;
using Acts = std::vector<std::string>;

const Uuid kUuid = Uuid::parse("0123abcd-4567-4abc-8def-0123456789ab").value();
const Uuid kCard = Uuid::parse("c0ffee00-4567-4abc-8def-0123456789ab").value();
const Uuid kSecondVolume = Uuid::parse("70100001-4567-4abc-8def-0123456789ab").value();
const std::string kDigest = "sha256:" + std::string(64, 'd');
constexpr const char* kPlace = "/state/containers";
constexpr SeenDirectory kContainer{.has_image = true, .is_kept = true};

std::string trimmed(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(" `");
    return begin == std::string::npos ? ""
                                      : text.substr(begin, text.find_last_not_of(" `") - begin + 1);
}

Cells split(const std::string& text, char at) {
    Cells parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, at);) {
        parts.push_back(trimmed(part));
    }
    return parts;
}

// The rows of the table whose heading begins so.
std::vector<Cells> table(const std::string& heading) {
    const auto text =
        kernel::read_file(LODGE_SOURCE_DIR "/docs/reliability.md", std::size_t{1} << 20);
    EXPECT_TRUE(text);
    std::istringstream lines(text ? *text : "");
    std::string line;
    while (std::getline(lines, line) && !line.starts_with(heading)) {
    }
    std::vector<Cells> rows;
    std::getline(lines, line); // the rule below the heading
    while (std::getline(lines, line) && line.starts_with("|")) {
        rows.push_back(split(line.substr(1), '|'));
    }
    EXPECT_FALSE(rows.empty()) << heading;
    return rows;
}

bool fits(const std::string& cell, const std::string& value) {
    const Cells allowed = split(cell, ',');
    return cell.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

Acts acts_of(const Inventory& seen) {
    Acts acts;
    for (const RecoveryStep& step : plan_recovery(seen)) {
        acts.emplace_back(to_string(step.act));
        EXPECT_FALSE(step.why.empty()) << acts.back();
        EXPECT_FALSE(step.subject.empty()) << acts.back();
    }
    return acts;
}

std::string card() {
    return model::card_name(kCard);
}

Inventory nothing_at_all() {
    Inventory seen;
    seen.containers_directory = kPlace;
    return seen;
}

SeenRow row(State state) {
    model::Container container{.uuid = kUuid, .state = state};
    container.spec.name = "web1";
    container.template_digest = kDigest;
    container.disks = {{.uuid = kUuid}};
    container.cards = {{.uuid = kCard, .mac_address = {}, .addresses = {}}};
    if (state == State::running || state == State::frozen) {
        container.init_pid = 100;
        container.init_start_time = 7;
    }
    return {.container = container, .published = true, .this_boot = true};
}

Inventory stopped_container() {
    Inventory seen = nothing_at_all();
    seen.rows[kUuid] = row(State::stopped);
    seen.directories[kUuid.to_string()] = kContainer;
    return seen;
}

Inventory running_container() {
    Inventory seen = stopped_container();
    seen.rows[kUuid] = row(State::running);
    seen.monitors[kUuid] = {.sign = MonitorSign::living, .init = {.pid = 100, .start_time = 7}};
    seen.watched.insert(kUuid);
    seen.groups.insert("ct-" + kUuid.to_string());
    seen.cards.insert(card());
    seen.admitted.insert(card());
    return seen;
}

struct Combination {
    bool has_row = false;
    bool published = false;
    State state = State::stopped;
    bool this_boot = false;
    MonitorSign monitor = MonitorSign::none;
    bool same_init = false;
    std::string group; ///< "no", "yes", "frozen"
};

void for_all_combinations(const std::function<void(const Combination&)>& visit) {
    constexpr bool kBoth[] = {false, true};
    for (const bool has_row : kBoth) {
        for (const bool published : kBoth) {
            for (const State state :
                 {State::stopped, State::running, State::frozen, State::broken}) {
                for (const bool this_boot : kBoth) {
                    for (const MonitorSign monitor : {MonitorSign::none,
                                                      MonitorSign::dead,
                                                      MonitorSign::silent,
                                                      MonitorSign::living}) {
                        for (const bool same_init : kBoth) {
                            for (const char* group : {"no", "yes", "frozen"}) {
                                visit({has_row,
                                       published,
                                       state,
                                       this_boot,
                                       monitor,
                                       same_init,
                                       group});
                            }
                        }
                    }
                }
            }
        }
    }
}

Inventory inventory_of(const Combination& is) {
    Inventory seen = nothing_at_all();
    if (is.has_row) {
        seen.rows[kUuid] = row(is.state);
        seen.rows[kUuid].published = is.published;
        seen.rows[kUuid].this_boot = is.this_boot;
        seen.directories[kUuid.to_string()] = kContainer;
    }
    if (is.monitor != MonitorSign::none) {
        const bool living = is.monitor == MonitorSign::living;
        const InitProcess init{.pid = 100, .start_time = is.same_init ? 7U : 8U};
        seen.monitors[kUuid] = {.sign = is.monitor, .init = living ? init : InitProcess{}};
    }
    if (is.group != "no") {
        seen.groups.insert("ct-" + kUuid.to_string());
    }
    if (is.group == "frozen") {
        seen.frozen_groups.insert("ct-" + kUuid.to_string());
    }
    seen.cards.insert(card());
    return seen;
}

Cells words_of(const Combination& is) {
    constexpr const char* kSigns[] = {"none", "dead", "silent", "living"};
    const auto yes_or_no = [](bool value) { return std::string(value ? "yes" : "no"); };
    return {yes_or_no(is.has_row),
            yes_or_no(is.published),
            std::string(model::to_string(is.state)),
            yes_or_no(is.this_boot),
            kSigns[static_cast<std::size_t>(is.monitor)],
            is.same_init ? "recorded" : "other",
            is.group};
}

// Which row of the table it is, the first that fits.
std::size_t row_for(const std::vector<Cells>& rows, const Cells& words) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        bool all = true;
        for (std::size_t column = 0; column < words.size(); ++column) {
            all = all && fits(rows[i][column], words[column]);
        }
        if (all) {
            return i;
        }
    }
    return rows.size();
}

TEST(Recovery, DoesWithEveryCombinationWhatTheTableOfContainersSays) {
    const auto rows = table("| row | published | state |");
    std::vector<int> met(rows.size());
    for_all_combinations([&](const Combination& is) {
        const Cells words = words_of(is);
        const std::size_t found = row_for(rows, words);
        ASSERT_LT(found, rows.size()) << "no row fits " << ::testing::PrintToString(words);
        ++met[found];
        const std::string& then = rows[found][7];
        Acts expected = split(then, ',');
        if (then == "nothing" || then == "mark_stopped") {
            expected = then == "nothing" ? Acts{} : Acts{then};
            expected.emplace_back("remove_card"); // it has none now
        } else if (then == "sweep") {
            expected.emplace_back("remove_card"); // without a row it is found by its name
        }
        EXPECT_EQ(acts_of(inventory_of(is)), expected) << ::testing::PrintToString(words);
    });
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_GT(met[i], 0) << "row " << i + 1 << " of the table fits nothing";
    }
}

std::string spelled_out(std::string name) {
    const std::string hex = card().substr(3);
    for (const auto& [mark, value] :
         {std::pair<std::string, std::string>{"UUID", kUuid.to_string()},
          {"ID", kUuid.to_string()},
          {"HEX", hex},
          {"DIGEST", kDigest}}) {
        if (const std::size_t at = name.find(mark); at != std::string::npos) {
            return name.replace(at, mark.size(), value);
        }
    }
    return name;
}

void put(Inventory& seen, const std::string& thing, const std::string& name) {
    const std::string image = std::string(kPlace) + "/" + kUuid.to_string() + "/volume.img";
    if (thing == "control group") {
        seen.groups.insert(name);
    } else if (thing == "directory") {
        seen.directories[name] = {};
    } else if (thing == "directory with an image") {
        seen.directories[name] = {.has_image = true};
    } else if (thing == "directory with a record") {
        seen.directories[name] = kContainer;
    } else if (thing == "card") {
        seen.cards.insert(name);
    } else if (thing == "faulty card") {
        seen.cards.insert(name);
        seen.card_faults[name] = "is down";
    } else if (thing == "faulty bridge") {
        seen.network = {.bridge_name = name, .bridge = "it is down"};
    } else if (thing == "forwarding that is off") {
        seen.network = {.bridge_name = name, .forwarding = "it forwards no IPv4"};
    } else if (thing == "faulty firewall table") {
        seen.network.firewall = "a rule is missing";
    } else if (thing == "firewall element") {
        seen.admitted.insert(name);
    } else if (thing == "device over its volume") {
        seen.devices.push_back({.name = "/dev/loop3", .label = name, .image = image});
    } else if (thing == "device over another file") {
        seen.devices.push_back({.name = "/dev/loop3", .label = name, .image = "/other" + image});
    } else if (thing == "image") {
        seen.images.insert(name);
    } else if (thing == "mount point") {
        seen.mount_points.insert(name);
    } else if (thing == "work directory") {
        seen.works.insert(name);
    } else if (thing == "kept console") {
        seen.consoles.insert(Uuid::parse(name).value());
    } else {
        ADD_FAILURE() << "an unknown thing: " << thing;
    }
}

Inventory owned_by(const std::string& owner) {
    if (owner == "a running container") {
        return running_container();
    }
    if (owner == "a stopped container") {
        return stopped_container();
    }
    Inventory seen = nothing_at_all();
    if (owner == "a template") {
        seen.named_images.insert(kDigest);
    } else {
        EXPECT_EQ(owner, "nobody");
    }
    return seen;
}

TEST(Recovery, TouchesOnlyThingsOfOurNamesThatNobodyClaims) {
    const auto rows = table("| thing | name | belongs to |");
    for (const Cells& cells : rows) {
        const Acts expected = cells[3] == "nothing" ? Acts{} : Acts{cells[3]};
        for (const std::string& thing : split(cells[0], ',')) {
            for (const std::string& name : split(cells[1], ',')) {
                for (const std::string& owner : split(cells[2], ',')) {
                    Inventory seen = owned_by(owner);
                    put(seen, thing, spelled_out(name));
                    EXPECT_EQ(acts_of(seen), expected) << thing << " " << name << " of " << owner;
                }
            }
        }
    }
}

// The names of a whole foreign host at once, beside a container of ours.
TEST(Recovery, LeavesAHostOfForeignThingsAlone) {
    Inventory seen = running_container();
    seen.groups.merge(std::set<std::string>{"daemon", "system.slice", "ct-", "ct-1", "lodge"});
    seen.cards.merge(std::set<std::string>{"ve-web1", "ve-ABCDEF012345", "ve-0123456789abc"});
    seen.admitted.merge(std::set<std::string>{"docker0", "ve-web1"});
    seen.directories.insert({{".snapshots", kContainer}, {"0123", kContainer}, {"backup", {}}});
    seen.devices.push_back({.name = "dm-0", .label = "root", .image = "/disk.img"});
    seen.devices.push_back({.name = "/dev/loop1",
                            .label = "lodge-" + kUuid.to_string(),
                            .image = "/srv" + std::string(kPlace) + "/x/volume.img"});
    seen.works.insert("of-somebody");
    EXPECT_EQ(acts_of(seen), Acts{});
}

TEST(Recovery, DoesNothingElseWhileOperationsAreUnfinished) {
    Inventory seen = nothing_at_all();
    seen.groups.insert("ct-" + kUuid.to_string());
    for (const char* verb : {"start", "destroy"}) {
        seen.unfinished.push_back(
            {.id = kUuid, .verb = verb, .resource = "web1", .arguments = kUuid.to_string()});
    }
    const auto steps = plan_recovery(seen);
    ASSERT_EQ(steps.size(), 2U);
    EXPECT_EQ(steps[0].act, RecoveryStep::Act::finish_operation);
    EXPECT_EQ(steps[0].why, "start was left unfinished");
    EXPECT_EQ(steps[1].why, "destroy was left unfinished");
}

// A newer release's, or a damaged row: to guess would be to stop or undo what nobody understands.
TEST(Recovery, TellsAndLeavesWhatThisReleaseDoesNotWrite) {
    const std::string uuid = kUuid.to_string();
    const auto steps_for = [](const std::string& verb, const std::string& arguments) {
        Inventory seen = nothing_at_all();
        seen.unfinished.push_back(
            {.id = kUuid, .verb = verb, .resource = "web1", .arguments = arguments});
        return plan_recovery(seen);
    };
    const std::vector<std::array<std::string, 2>> foreign{{"teleport", uuid},
                                                          {"teleport", uuid + " 60000"},
                                                          {"", uuid},
                                                          {"Stop", uuid},
                                                          {"template", "debian-12"},
                                                          {"template paint", "debian-12"},
                                                          {"stop", uuid + " soon"},
                                                          {"stop", uuid + " 5 6"},
                                                          {"stop", ""},
                                                          {"start", uuid + " 60000"},
                                                          {"destroy", uuid + " 0"},
                                                          {"create", "web1"},
                                                          {"set", uuid + " {}"},
                                                          {"template remove", uuid + "/.."},
                                                          {"host shutdown", uuid}};
    for (const auto& [verb, arguments] : foreign) {
        const auto steps = steps_for(verb, arguments);
        ASSERT_EQ(steps.size(), 1U);
        EXPECT_EQ(to_string(steps[0].act), "report") << verb << " " << arguments;
        EXPECT_NE(steps[0].why.find("left in the log"), std::string::npos) << steps[0].why;
    }
    EXPECT_EQ(to_string(steps_for("stop", uuid).at(0).act), "finish_operation");
    EXPECT_EQ(to_string(steps_for("host shutdown", "").at(0).act), "finish_operation");
    EXPECT_EQ(to_string(steps_for("template build", "debian-12").at(0).act), "finish_operation");
}

TEST(Recovery, RemovesNothingFromTheDiskThatALeftOperationIsAbout) {
    Inventory seen = stopped_container();
    seen.rows[kUuid].published = false;
    EXPECT_EQ(acts_of(seen), Acts{"remove_row"});
    for (const std::string& name : {std::string("web1"), kUuid.to_string()}) {
        seen.left = {name};
        EXPECT_EQ(acts_of(seen), Acts{"report"}) << name;
    }
    seen.rows.clear();
    seen.directories[kUuid.to_string()] = {.has_image = true, .is_kept = false};
    EXPECT_EQ(acts_of(seen), Acts{});
    seen.left.clear();
    EXPECT_EQ(acts_of(seen), Acts{"remove_directory"});
    seen = nothing_at_all();
    seen.images.insert(kDigest);
    EXPECT_EQ(acts_of(seen), Acts{"remove_image"});
    seen.left = {"template debian-12"};
    EXPECT_EQ(acts_of(seen), Acts{});
}

// One that has not gone beyond asking init to halt, and may: init is not killed before its time.
TEST(Recovery, ResumesAStopWhoseInitIsHalting) {
    const auto act_on = [](std::optional<std::chrono::milliseconds> timeout,
                           const std::vector<std::string>& steps) {
        Inventory seen = nothing_at_all();
        seen.unfinished.push_back(
            {.id = kUuid,
             .verb = "stop",
             .resource = "web1",
             .arguments = to_arguments({.container = kUuid, .halt_timeout = timeout}),
             .intended = {}});
        for (const std::string& step : steps) {
            seen.unfinished.back().intended.push_back({step, ""});
        }
        return plan_recovery(seen).at(0).act;
    };
    using Act = RecoveryStep::Act;
    EXPECT_EQ(act_on(60s, {"halt"}), Act::resume_operation);
    EXPECT_EQ(act_on(0s, {}), Act::resume_operation);
    EXPECT_EQ(act_on(60s, {"halt", "halt"}), Act::resume_operation); // resumed once before
    EXPECT_EQ(act_on(60s, {"halt", "kill"}), Act::finish_operation);
    EXPECT_EQ(act_on({}, {"halt"}), Act::finish_operation) << "by force";
}

TEST(Recovery, ReadsWhatTheLogKeepsOfAVerb) {
    const std::string uuid = kUuid.to_string();
    EXPECT_EQ(to_arguments({.container = kUuid, .halt_timeout = 90s}), uuid + " 90000");
    EXPECT_EQ(parse_arguments(uuid + " 90000")->halt_timeout, 90s);
    EXPECT_EQ(parse_arguments(uuid + " 90000")->container, kUuid);
    EXPECT_EQ(parse_arguments(uuid)->halt_timeout, std::nullopt); // an earlier release's
    for (const char* suffix : {" ", " x", " 1x", " -1", " 99999999999999999999", "x"}) {
        EXPECT_FALSE(parse_arguments(uuid + suffix)) << suffix;
    }
    EXPECT_FALSE(parse_arguments("debian-12"));
}

// What an operation of this daemon is at work on looks half-made, and is.
TEST(Recovery, DoesNotJudgeWhatAnOperationHolds) {
    Inventory seen = nothing_at_all();
    seen.groups.insert("ct-" + kUuid.to_string());
    seen.directories[kUuid.to_string()] = kContainer;
    seen.cards.insert(card());
    seen.admitted.insert(card());
    put(seen, "device over its volume", "lodge-" + kUuid.to_string());
    EXPECT_FALSE(acts_of(seen).empty());
    seen.held = {"web1", kUuid.to_string()};
    EXPECT_EQ(acts_of(seen), Acts{});
    seen.held = {"web1"}; // by its name, where a row tells it
    seen.rows[kUuid] = row(State::stopped);
    EXPECT_EQ(acts_of(seen), Acts{});
    seen = nothing_at_all();
    seen.images.insert(kDigest);
    seen.works.insert(kUuid.to_string());
    seen.held = {"template debian-12"};
    EXPECT_EQ(acts_of(seen), Acts{});
    seen = nothing_at_all();
    seen.consoles.insert(kUuid);
    seen.held = {kUuid.to_string()};
    EXPECT_EQ(acts_of(seen), Acts{});
}

TEST(Recovery, SeesWhatARunningContainerLacks) {
    Inventory seen = running_container();
    EXPECT_EQ(acts_of(seen), Acts{});
    seen.misadmitted.insert(card());
    EXPECT_EQ(acts_of(seen), Acts{"admit_card"});
    seen.card_faults[card()] = "is not in the bridge";
    EXPECT_EQ(acts_of(seen), (Acts{"admit_card", "mend_card"}));
    seen.card_faults.clear();
    seen.cards.clear();
    EXPECT_EQ(acts_of(seen), (Acts{"admit_card", "report"}));
    seen.watched.clear();
    EXPECT_EQ(acts_of(seen), (Acts{"take_up", "report"}));
}

// What hangs on the bridge is put back when there is one again.
TEST(Recovery, MendsTheNetworkBeforeTheCardsInIt) {
    Inventory seen = running_container();
    seen.network = {.bridge_name = "lodge0",
                    .bridge = "it is not there",
                    .forwarding = "it forwards no IPv6",
                    .firewall = "inet lodge is not there"};
    seen.card_faults[card()] = "is not in the bridge";
    seen.misadmitted.insert(card());
    EXPECT_EQ(acts_of(seen),
              (Acts{"mend_bridge", "mend_forwarding", "mend_firewall", "admit_card", "mend_card"}));
}

// With the database lost, what is left is what it can be built anew from.
TEST(Recovery, KeepsVolumesAndImagesThatNoRowKnows) {
    Inventory seen = nothing_at_all();
    seen.directories[kUuid.to_string()] = kContainer;
    seen.images.insert(kDigest);
    seen.mount_points.insert(kDigest);
    EXPECT_EQ(acts_of(seen), (Acts{"report", "report"}));
    seen.directories.clear();
    EXPECT_EQ(acts_of(seen), Acts{"remove_image"});
}

// A row that is removed claims nothing any more.
TEST(Recovery, RemovesTheImageOfACreateThatIsUndone) {
    Inventory seen = stopped_container();
    seen.images.insert(kDigest);
    seen.rows[kUuid].published = false;
    put(seen, "device over its volume", "lodge-" + kUuid.to_string());
    EXPECT_EQ(acts_of(seen), (Acts{"remove_row", "remove_image"}));
}

// The names of a volume and of a card come from their own UUIDs.
TEST(Recovery, KnowsEachVolumeAndCardByItsOwnUuid) {
    const Uuid second_card = Uuid::parse("c0ffee01-4567-4abc-8def-0123456789ab").value();
    const auto with_two_of_each = [&](Inventory seen) {
        model::Container& container = seen.rows[kUuid].container;
        container.disks.push_back({.uuid = kSecondVolume, .slot = 1});
        container.cards.push_back(
            {.uuid = second_card, .slot = 1, .mac_address = {}, .addresses = {}});
        seen.directories[kSecondVolume.to_string()] = {.has_image = true};
        seen.cards.insert({card(), model::card_name(second_card)});
        seen.devices.push_back({.name = "/dev/loop4",
                                .label = model::volume_label(kSecondVolume),
                                .image = std::string(kPlace) + "/" + kSecondVolume.to_string() +
                                         "/" + model::kImageName});
        return seen;
    };
    Inventory seen = with_two_of_each(running_container());
    EXPECT_EQ(acts_of(seen), Acts{});
    seen.misadmitted.insert(model::card_name(second_card));
    seen.card_faults[card()] = "is down";
    EXPECT_EQ(acts_of(seen), (Acts{"mend_card", "admit_card"}));
    seen = with_two_of_each(stopped_container());
    const auto steps = plan_recovery(seen);
    ASSERT_EQ(steps.size(), 3U);
    EXPECT_EQ(steps[0].act, RecoveryStep::Act::close_volume);
    for (const RecoveryStep& step : steps) {
        EXPECT_EQ(step.uuid, kUuid) << to_string(step.act) << ": whose lock is needed";
    }
    seen.directories.erase(kSecondVolume.to_string());
    EXPECT_EQ(acts_of(seen).back(), "remove_card");
    EXPECT_EQ(acts_of(seen)[1], "report") << "an image is gone";
    seen = with_two_of_each(stopped_container());
    seen.rows.clear(); // all that is left are the names
    EXPECT_EQ(acts_of(seen),
              (Acts{"close_volume", "report", "remove_directory", "remove_card", "remove_card"}));
}

// A create that began during the look: its row, and so its cards, are not known yet.
TEST(Recovery, RemovesNoCardWhileOneIsMade) {
    Inventory seen = stopped_container();
    seen.cards.insert(model::card_name(kSecondVolume));
    EXPECT_EQ(acts_of(seen), Acts{"remove_card"});
    seen.held = {"web1", kUuid.to_string()};
    EXPECT_EQ(acts_of(seen), Acts{"remove_card"});
    seen.held = {"web2", kSecondVolume.to_string()};
    EXPECT_EQ(acts_of(seen), Acts{});
}

// Whose lock is needed.
TEST(Recovery, KnowsWhoseCardIsInTheWay) {
    Inventory seen = stopped_container();
    seen.cards.insert(card());
    seen.admitted.insert(card());
    for (const RecoveryStep& step : plan_recovery(seen)) {
        EXPECT_EQ(step.uuid, kUuid) << to_string(step.act);
    }
    seen.rows.clear();
    EXPECT_EQ(plan_recovery(seen).back().uuid, Uuid{});
}

TEST(HostCheck, CountsOnlyWhatBothLooksShow) {
    using Act = RecoveryStep::Act;
    const RecoveryStep stop{
        .act = Act::stop, .uuid = kUuid, .subject = "web1", .why = "its monitor was killed"};
    RecoveryStep again = stop;
    again.why = "its monitor does not answer";
    const RecoveryStep thaw{.act = Act::thaw, .uuid = kUuid, .subject = "web1", .why = "held"};
    RecoveryStep namesake = stop; // destroyed and created anew meanwhile
    namesake.uuid = Uuid{};
    EXPECT_EQ(seen_twice({stop, thaw}, {again}), std::vector<RecoveryStep>{again});
    EXPECT_EQ(seen_twice({stop}, {thaw, namesake}), std::vector<RecoveryStep>{});
    EXPECT_EQ(seen_twice({}, {stop}), std::vector<RecoveryStep>{});
}

} // namespace
} // namespace lodge::daemon
