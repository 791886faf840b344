#include "cli/words.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace lodge::cli {
namespace {

using Words = std::vector<std::string>;

// Two verbs as ours: one for whose command the rest is, one of options alone.
struct CommandLine {
    bool json = false;
    bool terminal = false;
    std::string name;
    std::string user;
    std::string hostname;
    Words environment;
    Words names;
    bool force = false;
    Words command;
    std::string directory;
    bool refused = false;
    std::optional<std::string> broken;
    std::string empty; ///< the name of what find_empty() found
};

CommandLine parse(Words typed) {
    CommandLine line;
    CLI::App app("", "lodge");
    app.add_flag("--json", line.json, "");
    app.fallthrough();
    CLI::App* exec = app.add_subcommand("exec", "");
    exec->add_option("NAME", line.name, "")->required();
    exec->add_option("--user,-u", line.user, "");
    exec->add_flag("--tty,-t", line.terminal, "");
    of_bytes(exec->add_option("--cwd", line.directory, ""), "PATH");
    of_bytes(add_list(*exec, "--env,-e", line.environment, ""), "KEY=VALUE");
    of_bytes(add_rest(*exec, "COMMAND", line.command, ""), "WORD")->required();
    CLI::App* set = app.add_subcommand("set", "");
    set->add_option("NAME", line.name, "");
    maybe_empty(set->add_option("--hostname", line.hostname, ""));
    CLI::App* stop = app.add_subcommand("stop", "");
    add_names(*stop, line.names, "");
    stop->add_flag("--force", line.force, "");
    of_bytes(add_list(*stop, "--env,-e", line.environment, ""), "KEY=VALUE");
    refuse_values_of_flags(app);
    std::vector<char*> pointers;
    for (std::string& word : typed) {
        pointers.push_back(word.data());
    }
    Words prepared = prepare_words(app, pointers);
    std::reverse(prepared.begin(), prepared.end());
    try {
        app.parse(std::move(prepared));
        line.broken = find_broken_text(app);
        const CLI::Option* const empty = find_empty(app);
        line.empty = empty != nullptr ? empty->get_name() : "";
    } catch (const CLI::ParseError&) {
        line.refused = true;
    }
    return line;
}

const Words kOdd{
    "[abc]", "[a,b]",  "[[a]]",  "[",       "]",     "[]", "{}",     "%%",  "",   " ",
    "a b",   "a\nb",   "a,b",    "'x'",     "\"x\"", "\\", "-",      "--",  "-t", "-x",
    "-5",    "--json", "--user", "--user=", "--u=x", "++", "exec",   "set", "=",  "==x",
    "\xff",  "$HOME",  "*",      "@file",   "/x",    "#x", "[\"a\"]"};

TEST(Words, ReachACommandAsTheyWereTyped) {
    for (const std::string& odd : kOdd) {
        for (const Words& command : {Words{"echo", odd}, Words{"echo", odd, "x", odd}}) {
            Words typed{"exec", "c", "-t"};
            typed.insert(typed.end(), command.begin(), command.end());
            EXPECT_EQ(parse(typed).command, command) << odd;
            typed.insert(typed.begin() + 3, "--");
            const CommandLine line = parse(typed);
            EXPECT_EQ(line.command, command) << odd;
            EXPECT_TRUE(line.terminal && !line.json && line.user.empty()) << odd;
        }
        EXPECT_EQ(parse({"exec", "c", "--", odd}).command, Words{odd}) << "as the first";
    }
    Words all{"exec", "-e", "A=[b,c]", "c", "--", "echo"};
    all.insert(all.end(), kOdd.begin(), kOdd.end());
    all.push_back(std::string(100'000, '['));
    EXPECT_EQ(parse(all).command, Words(all.begin() + 5, all.end()));
}

TEST(Words, AreNamesAmongOptions) {
    const CommandLine line =
        parse({"stop", "a", "--env", "x", "[b,c]", "--force", "d", "--json", "{}", "--", "--e"});
    EXPECT_FALSE(line.refused);
    EXPECT_EQ(line.names, (Words{"a", "[b,c]", "d", "{}", "--e"}));
    EXPECT_EQ(line.environment, Words{"x"});
    EXPECT_TRUE(line.force && line.json);
    EXPECT_TRUE(parse({"stop", "--force"}).names.empty());
    EXPECT_EQ(parse({"stop", "stop", "exec"}).names, (Words{"stop", "exec"}));
    EXPECT_TRUE(parse({"stop", "a", "b\xff"}).broken);
    EXPECT_TRUE(parse({"stop", "a", "--none"}).refused);
}

TEST(Words, ThatAreEmptyAreFound) {
    for (const auto& [typed, empty] : std::vector<std::pair<Words, std::string>>{
             {{"set", ""}, "NAME"},
             {{"set", "c", "--hostname="}, ""}, // it may be
             {{"exec", "c", "--user=", "true"}, "--user"},
             {{"exec", "c", "--env", "", "true"}, "--env"},
             {{"exec", "c", "true", ""}, ""}, // the command's own
             {{"stop", "c", ""}, "NAME"},
             {{"stop", "c"}, ""}}) {
        EXPECT_EQ(parse(typed).empty, empty) << ::testing::PrintToString(typed);
    }
}

TEST(Words, OfAFlagAreRefused) {
    for (const char* word : {"--force=yes", "--force=false", "--json=1"}) {
        EXPECT_TRUE(parse({"stop", "c", word}).refused) << word;
    }
}

TEST(Words, ThatAreTextsAreUtf8) {
    for (const Words& broken : {Words{"exec", "\xff", "x"},
                                Words{"exec", "--user", "r\xff", "web1", "x"},
                                Words{"set", "web1", "--hostname=\xc3"}}) {
        EXPECT_TRUE(parse(broken).broken) << broken[1];
    }
    const CommandLine line = parse({"exec", "--env", "A=\xff", "--cwd", "/\xff", "web1", "\xff"});
    EXPECT_FALSE(line.broken) << *line.broken;
    EXPECT_FALSE(line.refused);
    EXPECT_EQ(line.environment, Words{"A=\xff"});
    EXPECT_EQ(line.directory, "/\xff");
    EXPECT_EQ(line.command, Words{"\xff"});
}

TEST(Words, ReachOptionsAsTheyWereTyped) {
    for (const std::string& odd : kOdd) {
        EXPECT_EQ(parse({"exec", "-u", odd, "c", "x"}).user, odd);
        EXPECT_EQ(parse({"exec", "c", "-e", odd, "--env", odd, "x"}).environment,
                  (Words{odd, odd}));
        EXPECT_EQ(parse({"exec", "c", "--env=" + odd, "x"}).environment, Words{odd}) << odd;
        EXPECT_EQ(parse({"set", "c", "--hostname", odd}).hostname, odd);
        EXPECT_EQ(parse({"set", "--", odd}).name, odd);
    }
    const CommandLine empty = parse({"exec", "--user=", "c", "x"});
    EXPECT_EQ(empty.name, "c") << "the next word is no value of an empty one";
    EXPECT_TRUE(empty.user.empty() && !empty.refused);
}

TEST(Words, OptionsEndWithTheFirstOfTheCommand) {
    const CommandLine before =
        parse({"exec", "--json", "-tu", "bob", "c", "-eA=1", "x", "--json", "-t"});
    EXPECT_TRUE(before.json && before.terminal);
    EXPECT_EQ(before.user, "bob");
    EXPECT_EQ(before.environment, Words{"A=1"});
    EXPECT_EQ(before.command, (Words{"x", "--json", "-t"}));
    EXPECT_EQ(parse({"exec", "--", "c", "x", "--", "-t"}).command, (Words{"x", "--", "-t"}));
    EXPECT_EQ(parse({"exec", "exec", "exec", "set"}).command, (Words{"exec", "set"}));
    for (const Words& words : {Words{"exec"},
                               {"exec", "c"},
                               {"exec", "c", "--"},
                               {"exec", "c", "--none", "x"},
                               {"set", "a", "b"}}) {
        EXPECT_TRUE(parse(words).refused) << words.back();
    }
}

} // namespace
} // namespace lodge::cli
