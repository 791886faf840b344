#include "tests/support/lodge_host.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

// Verbs for several containers at once, as they are typed.
namespace lodge::test {
namespace {

using nlohmann::json;

class SeveralTest : public LodgeTest {
  protected:
    void SetUp() override {
        ASSERT_NO_FATAL_FAILURE(LodgeTest::SetUp());
        for (const char* name : {"web1", "web2", "db1"}) {
            ASSERT_NO_FATAL_FAILURE(make({name}));
        }
    }
    void make(std::vector<std::string> words) {
        words.insert(words.begin(), {"create", "--template", "tiny", "--disk", "64M"});
        const CliResult made = host->lodge(words);
        ASSERT_EQ(made.code, 0) << made.err;
    }
    std::string states() {
        std::string text;
        for (const char* name : {"web1", "web2", "db1"}) {
            text += host->field(name, "state") + " ";
        }
        return text;
    }
    static std::vector<std::string> sorted_lines(const std::string& text) {
        std::vector<std::string> lines;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find('\n', at), text.size());
            lines.push_back(text.substr(at, end - at));
            at = end + 1;
        }
        std::sort(lines.begin(), lines.end());
        return lines;
    }
    using Lines = std::vector<std::string>;
};

TEST_F(SeveralTest, AreDoneSideBySideWithALineEach) {
    const CliResult started = host->lodge({"start", "web1", "web2", "web1"});
    EXPECT_EQ(started.code, 0) << started.err;
    EXPECT_EQ(sorted_lines(started.err), (Lines{"'web1' is running", "'web2' is running"}))
        << "a name that stands there twice counts once";
    const CliResult set = host->lodge({"set", "web1", "db1", "--bootorder", "7"});
    EXPECT_EQ(set.code, 0) << set.err;
    EXPECT_EQ(host->field("db1", "bootorder"), "7");
    EXPECT_EQ(host->field("web2", "bootorder"), "0");
    EXPECT_EQ(host->lodge({"freeze", "--filter", "name=web*"}).code, 0);
    EXPECT_EQ(states(), "frozen frozen stopped ");
    const CliResult thawed = host->lodge({"thaw", "--all"});
    EXPECT_EQ(thawed.code, 0) << "those that are not frozen are not meant: " << thawed.err;
    EXPECT_EQ(host->lodge({"wait", "web1", "web2", "--for", "running"}).code, 0);
    EXPECT_EQ(host->lodge({"restart", "--all", "--force"}).code, 0);
    EXPECT_EQ(states(), "running running stopped ") << "what does not run is not meant";
    EXPECT_EQ(host->lodge({"stop", "--all", "--force"}).code, 0);
    EXPECT_EQ(states(), "stopped stopped stopped ");
    const CliResult none = host->lodge({"stop", "--all"});
    EXPECT_EQ(none.code, 0);
    EXPECT_NE(none.err.find("none"), std::string::npos) << none.err;
}

TEST_F(SeveralTest, EndWithWhetherAllSomeOrNoneSucceeded) {
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    const CliResult some = host->lodge({"start", "web1", "web2", "nobody"});
    EXPECT_EQ(some.code, 23) << some.err;
    EXPECT_EQ(sorted_lines(some.err),
              (Lines{"'web2' is running",
                     "lodge: 'web1' is already running",
                     "lodge: no container is called 'nobody'"}));
    EXPECT_EQ(host->lodge({"start", "web1", "web2"}).code, 5) << "none, and all for one reason";
    EXPECT_EQ(host->lodge({"start", "nobody", "web1"}).code, 3) << "none: as the first";
    const CliResult told = host->lodge({"stop", "web1", "db1", "--force", "--json"});
    EXPECT_EQ(told.code, 23);
    const json answers = json::parse(told.out);
    ASSERT_EQ(answers.size(), 2U) << told.out;
    EXPECT_EQ(answers[0]["name"], "web1");
    EXPECT_EQ(answers[0]["outcome"]["status"], "succeeded");
    EXPECT_EQ(answers[1]["name"], "db1");
    EXPECT_EQ(answers[1]["error"]["code"], "invalid_state");
    EXPECT_EQ(told.err, "");
}

TEST_F(SeveralTest, OneNameAloneIsAnsweredAsEver) {
    const CliResult started = host->lodge({"start", "web1", "--json"});
    EXPECT_EQ(json::parse(started.out)["status"], "succeeded");
    EXPECT_EQ(host->lodge({"start", "web1"}).err, "lodge: 'web1' is already running\n");
    EXPECT_EQ(host->lodge({"kill", "web1"}).err, "");
}

// A slip must not cost the whole host.
TEST_F(SeveralTest, DestroyOfAllHasToBeMeant) {
    const CliResult refused = host->lodge({"destroy", "--all"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("--filter"), std::string::npos) << refused.err;
    EXPECT_EQ(host->lodge({"destroy"}).code, 2);
    EXPECT_EQ(host->lodge({"destroy", "web1", "--all", "--force"}).code, 2);
    EXPECT_EQ(host->lodge({"destroy", "web1", "--filter", "name=web*"}).code, 2);
    EXPECT_EQ(host->lodge({"destroy", "--filter", "label="}).code, 2) << "an unset variable";
    EXPECT_EQ(host->lodge({"destroy", "--filter", "name="}).code, 0);
    EXPECT_EQ(states(), "stopped stopped stopped ");
    ASSERT_EQ(host->lodge({"start", "web2"}).code, 0);
    EXPECT_EQ(host->lodge({"destroy", "--filter", "name=web*"}).code, 23) << "one of them runs";
    EXPECT_EQ(host->lodge({"info", "web1"}).code, 3);
    EXPECT_EQ(host->lodge({"destroy", "--all", "--force"}).code, 0);
    EXPECT_EQ(json::parse(host->lodge({"list", "--json"}).out).size(), 0U);
}

TEST_F(SeveralTest, StartsWhatHasToBeStartedAndWaits) {
    EXPECT_EQ(host->lodge({"start", "web1", "--wait", "bald"}).code, 2);
    EXPECT_EQ(host->field("web1", "state"), "stopped") << "nothing is done before it is judged";
    EXPECT_EQ(host->lodge({"start", "web1", "web2", "--if-needed", "--wait", "ready"}).code, 0);
    const CliResult again = host->lodge({"start", "web1", "db1", "--if-needed"});
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(sorted_lines(again.err), (Lines{"'db1' is running", "'web1' was running already"}));
    ASSERT_EQ(host->lodge({"freeze", "db1"}).code, 0);
    EXPECT_EQ(host->lodge({"start", "db1", "--if-needed"}).code, 5) << "it is frozen";
    EXPECT_EQ(host->lodge({"restart", "web1", "--force", "--wait", "running"}).code, 0);
}

TEST_F(SeveralTest, CreatesWhatIsAbsentAndTellsTheDifference) {
    const auto ensure = [&](std::vector<std::string> options) {
        options.insert(options.begin(), {"create", "shop", "--if-absent"});
        return host->lodge(options);
    };
    const std::vector<std::string> equal{"--template",
                                         "tiny",
                                         "--disk",
                                         "64M",
                                         "--label",
                                         "tier=gold",
                                         "--hostname",
                                         "shop.example"};
    EXPECT_EQ(ensure(equal).code, 0);
    const std::string uuid = host->field("shop", "uuid");
    const CliResult again = ensure(equal);
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(host->field("shop", "uuid"), uuid);
    const CliResult other =
        ensure({"--template", "tiny", "--disk", "128M", "--label", "tier=tin", "--bootorder", "0"});
    EXPECT_EQ(other.code, 4);
    EXPECT_NE(other.err.find("disk: 64M, not 128M; labels: tier=gold, not tier=tin"),
              std::string::npos)
        << other.err;
    EXPECT_EQ(other.err.find("bootorder"), std::string::npos) << other.err;
    EXPECT_EQ(ensure({"--template", "tiny", "--start"}).code, 0);
    EXPECT_EQ(host->field("shop", "state"), "running") << "it was asked for";
    EXPECT_EQ(host->lodge({"create", "shop", "--template", "tiny"}).code, 4);
    EXPECT_EQ(host->lodge({"create", "x1", "--template", "tiny", "--wait", "bald"}).code, 2);
    EXPECT_EQ(host->lodge({"info", "x1"}).code, 3) << "nothing is made before it is judged";
}

} // namespace
} // namespace lodge::test
