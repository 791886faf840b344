#include "tests/support/lodge_host.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
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
    expect({"start"}, 2, "NAME is required: one or more, or --all, or --filter; there is none yet");
    expect({"info"}, 2, "info: NAME is required; there is none yet; see `lodge help`");
    expect({"template", "info", "--socket", host->socket()},
           2,
           "template info: NAME is required; there are: tiny; see `lodge help`");
    expect({"create", "web1", "--disk"}, 2, "create: --disk needs a value; see `lodge help`");
    expect({"operation"},
           2,
           "operation: a command is missing; there are: list, cancel; see `lodge help`");
}

TEST_F(ErrorsTest, NameVerbAndOption) {
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
    expect({"info", "web1", "web2"}, 2, "info: 'web2' is more than it takes; see `lodge help`");
}

TEST_F(ErrorsTest, OfferWhatIsNearest) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--disk", "64.5M"}).code, 0);
    EXPECT_EQ(host->field("web1", "disk_bytes"), "67633152") << "64.5M is a size";
    expect({"strat", "web1"}, 2, "there is no command 'strat'; did you mean 'start'?");
    expect({"help", "strat"}, 2, "there is no command 'strat'; did you mean 'start'?");
    expect({"template", "bild", "x"},
           2,
           "template: there is no command 'bild'; did you mean 'build'?");
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
        EXPECT_NE(result.err.find(none), std::string::npos) << result.err;
    }
}

} // namespace
} // namespace lodge::test
