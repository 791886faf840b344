// The words of a command: how many, how long, of which bytes; and who is told why no session began.
#include "lib/base/clock.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/raw_http.hpp"

#include <chrono>
#include <deque>
#include <fstream>
#include <string>
#include <vector>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

constexpr int kExhausted = 10;

std::string post_head(const std::string& path, std::size_t size) {
    return "POST /v1/containers/web1/" + path +
           " HTTP/1.1\r\nHost: lodge\r\nConnection: Upgrade\r\nUpgrade: lodge-session/1\r\n"
           "Content-Length: " +
           std::to_string(size) + "\r\n\r\n";
}

class WordsTest : public RunningContainerTest {
  protected:
    CliResult repeat_while(int code, const std::vector<std::string>& arguments) {
        const Deadline deadline = Deadline::after(patience(20s));
        CliResult result;
        do {
            result = host->lodge(arguments);
        } while (result.code == code && !deadline.expired());
        return result;
    }
    // Clients of a session of which each is let in, and which say nothing then.
    std::deque<RawHttp>
    silent_clients(std::size_t count, const std::string& path, const std::string& body) {
        std::deque<RawHttp> clients;
        for (std::size_t i = 0; i < count; ++i) {
            const RawHttp& client = clients.emplace_back(host->socket());
            EXPECT_TRUE(client.send(post_head(path, body.size()) + body));
            EXPECT_TRUE(client.beginning().starts_with("HTTP/1.1 101")) << i;
        }
        return clients;
    }
};

TEST_F(WordsTest, ArriveByTheHundredThousand) {
    EXPECT_EQ(shell("seq 100000 | tr '\\n' '\\0' >words;"
                    "lodge exec web1 -- /bin/guest words $(seq 100000) | cmp - words; echo same"),
              "same\n");
}

TEST_F(WordsTest, ArriveUpToTheKernelsOwnLength) {
    // Twelve of 128 KiB less the NUL, the last of them in the environment: 1.5 MiB.
    EXPECT_EQ(shell("word() { head -c $1 /dev/zero | tr '\\0' $2; };"
                    "set -- a b c d e f g h i j k;"
                    "for c; do set -- \"$@\" \"$(word 131071 $c)\"; shift; done;"
                    "printf '%s\\0' \"$@\" >words;"
                    "lodge exec web1 -- /bin/guest words \"$@\" | cmp - words;"
                    "lodge exec web1 -e \"L=$(word 131069 l)\" -- /bin/guest env |"
                    "    grep ^L= | tr -d '\\n' | wc -c;"
                    "lodge exec web1 -- /bin/guest words \"$@\" | wc -c"),
              "131071\n1441792\n");
}

TEST_F(WordsTest, OfAnyBytesArriveByteForByte) {
    // Each byte but NUL; a lone one that is no UTF-8; control characters alone.
    EXPECT_EQ(
        shell("all=$(printf \"$(printf '\\\\%03o' $(seq 1 255))\"; echo x); all=${all%x};"
              "lone=$(printf 'a\\377'); low=$(printf '\\001\\002\\003');"
              "printf '%s\\0' \"$all\" \"$lone\" '' \"$low\" h\u00f6flich >words;"
              "lodge exec web1 -- /bin/guest words \"$all\" \"$lone\" '' \"$low\" h\u00f6flich |"
              "    cmp - words;"
              "lodge exec web1 -e \"$lone=$all\" -- /bin/guest env >environment;"
              "printf '%s=%s\\n' \"$lone\" \"$all\" >entry;"
              "grep -c . environment >/dev/null;"
              "od -An -v -tx1 environment | tr -d ' \\n' >environment.hex;"
              "grep -c \"$(od -An -v -tx1 entry | tr -d ' \\n')\" environment.hex;"
              "lodge exec web1 -- /bin/guest mkdir \"/$lone\";"
              "lodge exec web1 --cwd \"/$lone\" -- /bin/guest pwd | od -An -tx1"),
        "1\n 2f 61 ff 0a\n");
}

TEST_F(WordsTest, ThatAreTextsAreRefusedWhenTheyAreNotUtf8) {
    const std::string broken = "a\xff";
    const std::string key = host->directory() + "/latin1.pub";
    const std::string spec = host->directory() + "/latin1.yaml";
    std::ofstream(key)
        << "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8H0TYcDGGFXKxsmOhLxmS9L7oOBuEFyfbwMnnT"
           "JJfP a\xff\n";
    std::ofstream(spec) << "name: web2\ntemplate: \"a\xff\"\n";
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"exec", broken, "--", "/bin/guest", "true"},
             {"exec", "--user", broken, "web1", "--", "/bin/guest", "true"},
             {"console", broken},
             {"console", broken, "--log"},
             {"create", broken, "--template", "tiny"},
             {"create", "web2", "--template", broken},
             {"create", "web2", "--template", "tiny", "--hostname", broken},
             {"create", "web2", "--template", "tiny", "--ip", broken},
             {"create", "web2", "--template", "tiny", "--memory", broken},
             {"create", "web2", "--template", "tiny", "--onboot", broken},
             {"create", "web2", "--template", "tiny", "--wait", broken},
             {"create", "web2", "--template", "tiny", "--ssh-key", key},
             {"create", "web2", "--spec", spec},
             {"set", "web1", "--hostname", broken},
             {"set", "web1", "--restart", broken},
             {"kill", "web1", "--signal", broken},
             {"stop", "web1", "--timeout", broken},
             {"wait", "web1", "--for", broken},
             {"wait", "web1", "--timeout", broken},
             {"info", broken},
             {"destroy", broken, "--force"},
             {"ssh", broken},
             {"known-hosts", broken},
             {"template", "build", broken},
             {"template", "build", "debian-12", "--name", broken},
             {"template", "import", broken, host->directory() + "/tiny.tar"},
             {"template", "info", broken},
             {"template", "remove", broken},
             {"operation", "cancel", broken},
             {"help", broken},
             {broken}}) {
        for (const bool json : {false, true}) {
            std::vector<std::string> typed = words;
            if (json) {
                typed.insert(typed.begin(), "--json");
            }
            const CliResult refused = host->lodge(typed);
            EXPECT_EQ(refused.code, 2) << words[0] << ' ' << refused.err << refused.out;
            const std::string& said = json ? refused.out : refused.err;
            EXPECT_EQ(said.find("json.exception"), std::string::npos) << said;
            EXPECT_FALSE(said.empty()) << words[0];
        }
    }
    // Paths are bytes: this one is only not there.
    const CliResult path = host->lodge({"template", "import", "t", "/" + broken});
    EXPECT_EQ(path.code, 2) << path.err;
    EXPECT_NE(path.err.find("/a?"), std::string::npos) << path.err;
    EXPECT_EQ(host->lodge({"--socket", "/" + broken, "list"}).code, 20);
    EXPECT_EQ(host->lodge({"list", "--json"}).code, 0) << host->daemon_log();
}

TEST_F(WordsTest, AreRefusedByTheirSizeBeforeTheyAreHeld) {
    const RawHttp large(host->socket());
    EXPECT_TRUE(large.send(post_head("exec", 5'000'000)));
    const auto too_large = large.answer();
    ASSERT_TRUE(too_large) << too_large.error().to_string();
    EXPECT_TRUE(too_large->starts_with("HTTP/1.1 413")) << *too_large;
    EXPECT_NE(too_large->find("larger than 4 MiB"), std::string::npos) << *too_large;
    std::string body = R"({"argv": ["a")";
    for (int i = 0; i < 300'000; ++i) {
        body += R"(,"")";
    }
    body += "]}";
    const RawHttp many(host->socket());
    EXPECT_TRUE(many.send(post_head("exec", body.size()) + body));
    const auto too_many = many.answer();
    ASSERT_TRUE(too_many) << too_many.error().to_string();
    EXPECT_TRUE(too_many->starts_with("HTTP/1.1 507")) << *too_many;
    EXPECT_NE(too_many->find("262144 values"), std::string::npos) << *too_many;
}

TEST_F(WordsTest, OfMoreThanAMebibyteComeInFromSoManyAtOnce) {
    std::deque<RawHttp> slow;
    for (int i = 0; i < 16; ++i) {
        EXPECT_TRUE(slow.emplace_back(host->socket()).send(post_head("exec", 2'000'000) + "{"));
    }
    std::vector<std::string> command{"exec", "web1", "--", "/bin/guest", "true"};
    command.insert(command.end(), 9, std::string(130'000, 'x'));
    const CliResult refused = repeat_while(0, command);
    EXPECT_EQ(refused.code, kExhausted) << refused.err;
    EXPECT_NE(refused.err.find("try again"), std::string::npos) << refused.err;
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "true"}).code, 0);
    slow.clear();
    EXPECT_EQ(repeat_while(kExhausted, command).code, 0);
}

TEST_F(WordsTest, ASessionTooManyIsToldWhy) {
    const std::vector<std::string> command{"exec", "web1", "--", "/bin/guest", "true"};
    {
        const auto held = silent_clients(128, "exec", R"({"argv": ["/bin/guest", "true"]})");
        const CliResult refused = host->lodge(command);
        EXPECT_EQ(refused.code, kExhausted) << refused.err;
        EXPECT_NE(refused.err.find("most sessions already (128)"), std::string::npos)
            << refused.err;
        std::vector<std::string> with_terminal = command;
        with_terminal.insert(with_terminal.begin() + 2, "-t");
        EXPECT_EQ(host->lodge(with_terminal).code, kExhausted);
    }
    EXPECT_EQ(repeat_while(kExhausted, command).code, 0);
}

TEST_F(WordsTest, AConsoleTooManyIsToldWhy) {
    const auto held = silent_clients(8, "console", "");
    const CliResult refused = host->lodge({"console", "web1"});
    EXPECT_EQ(refused.code, kExhausted) << refused.err;
    EXPECT_NE(refused.err.find("most clients already (8)"), std::string::npos) << refused.err;
}

} // namespace

} // namespace lodge::test
