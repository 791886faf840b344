#include "daemon/command_line.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace lodge::daemon {
namespace {

Result<CommandLine> parse(std::vector<std::string> typed) {
    std::vector<char*> words;
    for (std::string& word : typed) {
        words.push_back(word.data());
    }
    return parse_command_line(words);
}

TEST(CommandLine, TakesAValueBehindASignOrAsAWord) {
    const CommandLine line = parse({"--config=a=b", "--state-dir", "-x", "--recover"}).value();
    EXPECT_EQ(line.config, "a=b");
    EXPECT_EQ(line.state_directory, "-x");
    EXPECT_TRUE(line.recover);
    EXPECT_FALSE(line.help || line.version || line.foreground);
    EXPECT_TRUE(parse({"-h"})->help);
    EXPECT_NE(usage().find("\n  --config FILE "), std::string::npos);
}

TEST(CommandLine, SaysWhatIsWrong) {
    for (const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--config=", "--foreground"}, "--config needs a value"},
             {{"--config", ""}, "--config needs a value"},
             {{"--socket"}, "--socket needs a value"},
             {{"--run-dir=a", "--run-dir=b"}, "--run-dir is given more than once"},
             {{"--foreground=yes"}, "--foreground takes no value"},
             {{"--confg", "x"}, "there is no option --confg; did you mean '--config'?"},
             {{"-x"}, "there is no option -x"},
             {{"--"}, "there is no option --"},
             {{"start"}, "'start' is more than it takes"},
             {{""}, "'' is more than it takes"}}) {
        const auto parsed = parse(words);
        ASSERT_FALSE(parsed) << said;
        EXPECT_EQ(parsed.error().message(), said);
        EXPECT_EQ(parsed.error().code(), ErrorCode::invalid_argument);
    }
}

} // namespace
} // namespace lodge::daemon
