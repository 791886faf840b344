#include "tests/support/lodge_host.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

// What is said of a slip, as it is typed.
namespace lodge::test {
namespace {

class ErrorsTest : public LodgeTest {
  protected:
    void expect(const std::vector<std::string>& words, int code, const std::string& said) {
        const CliResult result = host->lodge(words);
        EXPECT_EQ(result.code, code) << said;
        EXPECT_EQ(result.err, "lodge: " + said + "\n");
    }
};

TEST_F(ErrorsTest, NameWhatIsMissingAndWhatThereIs) {
    expect({"create", "web1"}, 2, "create: --template is required; there are: tiny");
    expect({"create", "--template", "tiny"}, 2, "create: NAME is required");
    expect(
        {"start"},
        2,
        "start: NAME is required: one or more, or --all, or --filter KEY=VALUE; there is none yet");
    expect({"info"}, 2, "info: NAME is required; there is none yet; see `lodge help info`");
    expect({"template", "info", "--socket", host->socket()},
           2,
           "template info: NAME is required; there are: tiny; see `lodge help template info`");
    expect(
        {"create", "web1", "--disk"}, 2, "create: --disk needs a value; see `lodge help create`");
    expect({"operation"},
           2,
           "operation: a command is missing; there are: list, cancel; see `lodge help operation`");
}

// Each of these is of a kind of its own: what was typed, what is wrong with it, what there is.
TEST_F(ErrorsTest, NameVerbAndOption) {
    const std::string long_text(2000, 'a');
    for (
        const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
            {{"list", "--filter", "colour=red"},
             "list --filter: there is no key 'colour'; there are: name, state, template, label, "
             "address, hostname, encryption, rootfs, onboot, restart, protect"},
            {{"start", "--filter", "state=runing"},
             "start --filter: state: 'runing' is not a state; known are stopped, running, frozen, "
             "broken"},
            {{"list", "--filter", "state"}, "list --filter: 'state' is not of the form KEY=VALUE"},
            {{"list", "--columns", "name,memroy"},
             "list --columns: 'memroy' is not a column; did you mean 'memory'?"},
            {{"list", "--sort=-nmae"}, "list --sort: 'nmae' is not a column; did you mean 'name'?"},
            {{"list", "--format", "xml"},
             "list --format: 'xml' is not a format; there are: table, json, yaml, csv"},
            {{"create", "web1", "--template", "tiny", "--wait", "up"},
             "create --wait: 'up' cannot be waited for; there are: running, ready"},
            {{"start", "web1", "--wait", "stopped"},
             "start --wait: 'stopped' cannot be waited for; there are: running, ready"},
            {{"wait", "web1", "--for", "up"},
             "wait --for: 'up' cannot be waited for; there are: running, ready, stopped"},
            {{"wait", "web1", "--timeout", "soon"},
             "wait --timeout: 'soon' is not a duration; write it as 500ms, 30s, 5m or 1h"},
            {{"host", "shutdown", "--timeout", "soon"},
             "host shutdown --timeout: 'soon' is not a duration; write it as 500ms, 30s, 5m or 1h"},
            {{"events", "--last", "ten"},
             "events --last: 'ten' is not a number of events; a whole number is wanted"},
            {{"kill", "web1", "--signal", "SIGTREM"},
             "kill --signal: 'SIGTREM' is not a signal; give a name such as TERM or a number from "
             "1 to 64"},
            {{"create", "Web1", "--template", "tiny"},
             "create NAME: 'Web1' is not a name: use 1 to 63 of a-z, 0-9 and '-', with no '-' at "
             "either end"},
            {{"create", "web1", "--template", "tiny", "--disk", "1K"},
             "create --disk: a disk of 1K is too small for a filesystem to boot from; give at "
             "least 64M"},
            {{"create", "web1", "--template", "tiny", "--hostname", "-x"},
             "create --hostname: '-x' is not a host name: labels of a-z, 0-9 and '-' joined by "
             "dots, at most 64 characters"},
            {{"template", "import", "T_1", "/dev/null"},
             "template import NAME: 'T_1' is not a name: use 1 to 63 of a-z, 0-9 and '-', with no "
             "'-' at either end"},
            {{"template", "build", "debian-12", "--name", "T_1"},
             "template build --name: 'T_1' is not a name: use 1 to 63 of a-z, 0-9 and '-', with no "
             "'-' at either end"},
            {{"set", "web1", "--pids", "4"},
             "set --pids: fewer than 16 processes are too few to boot with"},
            {{"set", "web1", "--bootorder", "10000"},
             "set --bootorder: a bootorder of 10000 is out of range; it goes up to 9999"},
            {{"set", "web1", "--description", long_text},
             "set --description: a description is a line of at most 1024 bytes without control "
             "characters"},
            {{"set", "web1"}, "set: nothing was given that is to be changed; see `lodge help set`"},
            {{"stop", "web1", "--all"}, "stop: NAME and --all or --filter exclude each other"},
            {{"exec", "web1", "-e", "X", "--", "/bin/guest", "env"},
             "exec --env: 'X' is not of the form KEY=VALUE"},
            {{"exec", "web1", "-i", "-n", "--", "/bin/guest", "env"},
             "exec: --interactive and --no-stdin exclude each other; see `lodge help exec`"},
            {{"exec", "web1", "--bogus"},
             "exec: there is no option --bogus; see `lodge help exec`"},
            {{"operation", "cancel"},
             "operation cancel: ID is required; none that can be cancelled is on its way; see "
             "`lodge help operation cancel`"},
            {{"operation", "cancel", "7"},
             "operation cancel: '7' is not an operation's id; none that can be cancelled is on "
             "its way"},
            {{"--bogus"}, "there is no option --bogus; see `lodge help`"},
            {{"info", ""}, "info: NAME is required; there is none yet; see `lodge help info`"},
            {{"stop", "web1", ""},
             "stop: NAME is required; there is none yet; see `lodge help stop`"},
            {{"--socket", "", "list"}, "list: --socket needs a value; see `lodge help list`"},
            {{"list", "--json=maybe"}, "list: --json takes no value; see `lodge help list`"}}) {
        expect(words, 2, said);
    }
    expect(
        {"create", "web1", "--template", "tiny", "--cpus", "many"},
        2,
        "create --cpus: 'many' is not a number of CPUs; write it as 2 or 1.5, with at most three "
        "decimals");
    expect({"set", "web1", "--onboot", "maybe"},
           2,
           "set --onboot: 'maybe' is not a choice for onboot; known are no, yes, auto");
    expect({"stop", "web1", "--timeout", "soon"},
           2,
           "stop --timeout: 'soon' is not a duration; write it as 500ms, 30s, 5m or 1h");
    expect({"stop", "web1", "--froce"},
           2,
           "stop: there is no option --froce; did you mean '--force'?");
    expect(
        {"info", "web1", "web2"}, 2, "info: 'web2' is more than it takes; see `lodge help info`");
}

TEST_F(ErrorsTest, OfferWhatIsNearest) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--disk", "64.5M"}).code, 0);
    EXPECT_EQ(host->field("web1", "disk_bytes"), "67633152") << "64.5M is a size";
    expect({"strat", "web1"}, 2, "there is no command 'strat'; did you mean 'start'?");
    expect({"help", "strat"}, 2, "there is no command 'strat'; did you mean 'start'?");
    expect({"template", "bild", "x"},
           2,
           "template: there is no command 'bild'; did you mean 'build'?");
    expect({"template", "bulid", "x"},
           2,
           "template: there is no command 'bulid'; did you mean 'build'?");
    expect({"ls"}, 2, "there is no command 'ls'; did you mean 'list'?");
    expect({"unfreeze", "web1"}, 2, "there is no command 'unfreeze'; did you mean 'thaw'?");
    expect({"template", "delete", "x"},
           2,
           "template: there is no command 'delete'; did you mean 'remove'?");
    expect({"host", "reset"},
           2,
           "host: there is no command 'reset'; there are: info, shutdown, startup, check; see "
           "`lodge help host`");
    expect({"create", "--name", "web2", "--template", "tiny"},
           2,
           "create: there is no option --name; see `lodge help create`");
    expect({"template", "build", "debain-12"},
           3,
           "no template definition is called 'debain-12'; did you mean 'debian-12'?");
    expect({"info", "wbe1"}, 3, "no container is called 'wbe1'; did you mean 'web1'?");
    expect({"info", "nothing"}, 3, "no container is called 'nothing'");
    expect({"create", "web2", "--template", "tinny"},
           3,
           "no template is called 'tinny'; did you mean 'tiny'?");
}

TEST_F(ErrorsTest, SayWhoUsesATemplate) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--disk", "64M"}).code, 0);
    expect({"template", "remove", "tiny"},
           6,
           "the template 'tiny' is in use by 'web1'; destroy them first");
}

TEST_F(ErrorsTest, AMissingFileHasOneCode) {
    const std::string none = host->directory() + "/none";
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"create", "web1", "--template", "tiny", "--ssh-key", none},
          {"create", "web1", "--spec", none},
          {"template", "import", "other", none},
          {"recover", "--config", none}}) {
        const CliResult result = host->lodge(words);
        EXPECT_EQ(result.code, 2) << words.front() << " " << result.err;
        EXPECT_NE(
            result.err.find("the file '" + none + "' cannot be read: No such file or directory\n"),
            std::string::npos)
            << result.err;
    }
    const CliResult lodged = run_to_end(LODGE_BIN_DIR "/lodged", {"--config", none});
    EXPECT_EQ(lodged.code, 2);
    EXPECT_TRUE(lodged.err.starts_with("lodged: --config: the file '" + none)) << lodged.err;
}

// What `lodge help` has of a verb.
struct Described {
    std::string name;
    bool takes_value = false;
    bool may_be_empty = false;
    bool repeats = false;
};

std::vector<Described> options_in(const std::string& help) {
    std::vector<Described> options;
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t at = line.find("--");
        if (!line.starts_with("  -") || at == std::string::npos) {
            continue;
        }
        const std::string left = line.substr(0, line.find("  ", 2));
        const std::string name = line.substr(at, line.find_first_of(", \n", at) - at);
        if (name != "--help") {
            options.push_back({.name = name,
                               .takes_value = left.find(' ', at) != std::string::npos &&
                                              left.find(" Excludes: ") == std::string::npos,
                               .may_be_empty = left.find("[TEXT]") != std::string::npos,
                               .repeats = left.ends_with("...")});
        }
    }
    return options;
}

// Every option of every verb: without its value, with an empty one, given twice; a flag with one.
TEST_F(ErrorsTest, OfEveryVerbAndOptionAreInItsOwnWords) {
    const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> verbs{
        {{"create"}, {"web1"}},
        {{"start"}, {"web1"}},
        {{"stop"}, {"web1"}},
        {{"restart"}, {"web1"}},
        {{"kill"}, {"web1"}},
        {{"freeze"}, {"web1"}},
        {{"thaw"}, {"web1"}},
        {{"destroy"}, {"web1"}},
        {{"wait"}, {"web1"}},
        {{"set"}, {"web1"}},
        {{"info"}, {"web1"}},
        {{"list"}, {}},
        {{"exec"}, {"web1", "true"}},
        {{"enter"}, {"web1"}},
        {{"console"}, {"web1"}},
        {{"ssh"}, {"web1"}},
        {{"known-hosts"}, {"web1"}},
        {{"template", "build"}, {"debian-12"}},
        {{"template", "import"}, {"other", "/dev/null"}},
        {{"template", "list"}, {}},
        {{"template", "definitions"}, {}},
        {{"template", "info"}, {"tiny"}},
        {{"template", "remove"}, {"tiny"}},
        {{"operation", "list"}, {}},
        {{"operation", "cancel"}, {"0123abcd-4567-4abc-8def-0123456789ab"}},
        {{"host", "info"}, {}},
        {{"host", "check"}, {}},
        {{"host", "shutdown"}, {}},
        {{"host", "startup"}, {}},
        {{"events"}, {}},
        {{"recover"}, {}}};
    std::size_t looked_at = 0;
    for (const auto& [verb, operands] : verbs) {
        std::vector<std::string> help = verb;
        help.insert(help.begin(), "help");
        const std::string name = verb.size() == 1 ? verb[0] : verb[0] + " " + verb[1];
        const auto expect_slip =
            [&](const std::vector<std::string>& slip, const std::string& said, bool with_operands) {
                std::vector<std::string> words = verb;
                words.insert(words.end(), slip.begin(), slip.end());
                if (with_operands) {
                    words.insert(words.end(), operands.begin(), operands.end());
                }
                expect(words,
                       2,
                       name + ": " + said +
                           (said.ends_with('?') ? "" : "; see `lodge help " + name + "`"));
                ++looked_at;
            };
        for (const Described& option : options_in(host->lodge(help).out)) {
            if (!option.takes_value) {
                expect_slip({option.name + "=x"}, option.name + " takes no value", true);
                continue;
            }
            expect_slip({option.name}, option.name + " needs a value", false);
            if (!option.may_be_empty) {
                expect_slip({option.name + "="}, option.name + " needs a value", true);
            }
            if (!option.repeats) {
                expect_slip({option.name, "x", option.name, "y"},
                            option.name + " is given more than once",
                            true);
            }
        }
        expect_slip({"--sokcet=x"}, "there is no option --sokcet; did you mean '--socket'?", true);
    }
    EXPECT_GT(looked_at, 200U) << "the help is not read as it is written";
}

TEST(LodgedsErrors, AreInItsOwnWords) {
    for (const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--confg", "x"}, "there is no option --confg; did you mean '--config'?"},
             {{"--config=", "--foreground"}, "--config needs a value; see `lodged --help`"},
             {{"--foreground=yes", "--state-dir=x"},
              "--foreground takes no value; see `lodged --help`"},
             {{"--state-dir", "x"},
              "--state-dir: 'x' is not an absolute path; see `lodged --help`"},
             {{"start"}, "'start' is more than it takes; see `lodged --help`"}}) {
        const CliResult refused = run_to_end(LODGE_BIN_DIR "/lodged", words);
        EXPECT_EQ(refused.code, 2) << said;
        EXPECT_EQ(refused.err, "lodged: " + said + "\n");
    }
    EXPECT_EQ(run_to_end(LODGE_BIN_DIR "/lodged", {"--version"}).code, 0);
    EXPECT_NE(run_to_end(LODGE_BIN_DIR "/lodged", {"-h"}).out.find("--state-dir DIR"),
              std::string::npos);
}

} // namespace
} // namespace lodge::test
