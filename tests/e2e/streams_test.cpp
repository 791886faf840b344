// What goes through `exec` without a terminal: streams, surroundings, exit codes, and a client that
// dies.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/session_client.hpp"

#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

class StreamsTest : public RunningContainerTest {
  protected:
    // `exec web1 OPTIONS -- /bin/guest WORDS`.
    CliResult guest(const std::vector<std::string>& words,
                    const std::vector<std::string>& options = {}) {
        std::vector<std::string> arguments{"exec", "web1"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        arguments.insert(arguments.end(), {"--", "/bin/guest"});
        arguments.insert(arguments.end(), words.begin(), words.end());
        return host->lodge(arguments);
    }
    std::size_t monitor_descriptors() {
        const auto status =
            kernel::read_file("/proc/" + host->field("web1", "pid") + "/status", 65536);
        EXPECT_TRUE(status);
        const std::string mark = "PPid:\t";
        const std::string parent =
            status ? status->substr(status->find(mark) + mark.size(), 8) : "0";
        std::error_code error;
        const std::filesystem::directory_iterator all(
            "/proc/" + std::to_string(std::stoi(parent)) + "/fd", error);
        EXPECT_FALSE(error) << error.message();
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }
    // Daemon and monitor do their work, and the monitor holds no more than before.
    void expect_well(std::size_t descriptors_before) {
        EXPECT_EQ(guest({"exit", "7"}).code, 7) << host->daemon_log();
        EXPECT_NE(host->lodge({"list"}).out.find("running"), std::string::npos);
        const Deadline deadline = Deadline::after(patience(10s));
        while (monitor_descriptors() != descriptors_before && !deadline.expired()) {
        }
        EXPECT_EQ(monitor_descriptors(), descriptors_before);
    }
};

TEST_F(StreamsTest, CarriesAHundredMegabytesThroughPipes) {
    EXPECT_EQ(shell("head -c 100000000 /dev/urandom >big; sha256sum <big >sum;"
                    "cat big | lodge exec web1 -- /bin/guest cat | sha256sum | cmp - sum;"
                    "rm big; echo same"),
              "same\n");
}

TEST_F(StreamsTest, CarriesAHundredMegabytesBetweenFiles) {
    EXPECT_EQ(shell("head -c 100000000 /dev/urandom >big;"
                    "lodge exec web1 -- /bin/guest cat <big >copy; cmp big copy;"
                    "rm big copy; echo same"),
              "same\n");
}

TEST_F(StreamsTest, LeavesNoStreamOfTheCallersToWhatTheCommandLeftBehind) {
    EXPECT_EQ(shell("lodge exec web1 -- /bin/guest leave-behind | cat; echo ended"), "ended\n");
    // Nor does one that writes on and on keep the caller.
    EXPECT_EQ(shell("lodge exec web1 -- /bin/guest leave-behind writing | tail -c 0; echo ended"),
              "ended\n");
}

TEST_F(StreamsTest, HearsASignalWhenNobodyReadsWhatTheCommandLeft) {
    const std::size_t before = monitor_descriptors();
    ASSERT_EQ(guest({"write", "/big", std::string(100'000, 'x')}).code,
              0); // more than a pipe takes
    Pipe out = make_pipe();
    CliProcess cli(
        *host, {"exec", "web1", "--", "/bin/guest", "cat", "/big"}, {.out = out.write.get()});
    out.write.reset();
    pollfd wait{.fd = out.read.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, static_cast<int>(patience(10s).count())), 1);
    expect_well(before); // the session has ended
    cli.signal(SIGTERM);
    EXPECT_EQ(cli.wait(), 128 + SIGTERM);
}

TEST_F(StreamsTest, LeavesAListToTheLoopThatReadsIt) {
    EXPECT_EQ(shell("printf 'one\\ntwo\\n' | while read -r word; do"
                    " lodge exec -n web1 -- /bin/guest echo $word; done"),
              "one\ntwo\n");
    EXPECT_EQ(shell("echo unread | lodge exec --no-stdin web1 -- /bin/guest cat"), "");
}

TEST_F(StreamsTest, KeepsStandardErrorApart) {
    EXPECT_EQ(shell("lodge exec web1 -- /bin/guest say-both to-out to-err >out 2>err; cat out err"),
              "to-out\nto-err\n");
    const CliResult piped = guest({"say-both", "to-out", "to-err"});
    EXPECT_EQ(piped.out, "to-out\n");
    EXPECT_EQ(piped.err, "to-err\n");
}

TEST_F(StreamsTest, EndsACommandWhoseReaderWentAway) {
    // As with `yes | head -1`: SIGPIPE, not a hang.
    EXPECT_EQ(shell("set +o pipefail;"
                    "lodge exec web1 -- /bin/guest cat /dev/zero | head -c 5 | wc -c;"
                    "echo ${PIPESTATUS[0]}"),
              "5\n141\n");
}

TEST_F(StreamsTest, ReturnsExitCodesAsAShellDoes) {
    for (const int code : {0, 1, 7, 255}) {
        EXPECT_EQ(guest({"exit", std::to_string(code)}).code, code);
    }
    for (const int number : {SIGTERM, SIGKILL, SIGSEGV}) {
        EXPECT_EQ(guest({"kill-self", std::to_string(number)}).code, 128 + number);
    }
    const CliResult missing = host->lodge({"exec", "web1", "--", "/bin/none"});
    EXPECT_EQ(missing.code, 127);
    EXPECT_NE(missing.err.find("/bin/none"), std::string::npos) << missing.err;
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "not-in-path"}).code, 127);
    const CliResult refused = host->lodge({"exec", "web1", "--", "/etc/passwd"});
    EXPECT_EQ(refused.code, 126);
    EXPECT_NE(refused.err.find("/etc/passwd"), std::string::npos) << refused.err;
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "/etc"}).code, 126);
}

TEST_F(StreamsTest, TellsTheHostKeysThatItReadsInside) {
    const std::string key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    const std::string file = "/etc/ssh/ssh_host_ed25519_key.pub";
    const auto known_hosts = [this] { return host->lodge({"known-hosts", "web1"}); };
    const CliResult without = known_hosts();
    EXPECT_EQ(without.code, 5) << without.err;
    EXPECT_NE(without.err.find("'cat'"), std::string::npos) << without.err;
    ASSERT_EQ(guest({"mkdir", "/etc/ssh"}).code, 0);
    ASSERT_EQ(guest({"link", "/bin/guest", "/bin/cat"}).code, 0);
    EXPECT_EQ(known_hosts().code, 3) << "there are no keys";
    ASSERT_EQ(guest({"write", file, "\x1b]52;c;evil\n" + key + " \u009b2J\n"}).code, 0);
    EXPECT_EQ(known_hosts().out, "lodge-" + host->field("web1", "uuid") + " " + key + " ??2J\n");
    const std::string as_json = host->lodge({"known-hosts", "web1", "--json"}).out;
    EXPECT_NE(as_json.find(key + " \\u009b2J"), std::string::npos) << as_json;
    // What never answers costs whoever asked his patience, and nobody else anything.
    ASSERT_EQ(guest({"remove", file}).code, 0);
    ASSERT_EQ(guest({"fifo", file}).code, 0);
    const CliResult late = known_hosts();
    EXPECT_EQ(late.code, 11) << late.err;
    EXPECT_NE(late.err.find("in time"), std::string::npos) << late.err;
    EXPECT_EQ(guest({"exit", "7"}).code, 7);
}

// Whatever is in them, behind "--" or not: nothing of lodge's reads them.
TEST_F(StreamsTest, PassesWordsAsTheyWereTyped) {
    std::vector<std::string> words{"[abc]",
                                   "[a,b]",
                                   "{}",
                                   "%%",
                                   "",
                                   " ",
                                   "a\nb",
                                   "\"x\"",
                                   "--",
                                   "-x",
                                   "--json",
                                   "--user=x",
                                   "++",
                                   "exec",
                                   "\x1b[1m",
                                   "=",
                                   "$(true)",
                                   "-",
                                   std::string(60'000, ']')};
    std::string expected;
    for (const std::string& word : words) {
        expected += word + '\0';
    }
    words.insert(words.begin(), "words");
    EXPECT_EQ(guest(words, {"-e", "LIST=[a,b]"}).out, expected);
    words.insert(words.begin(), {"exec", "web1", "/bin/guest"});
    EXPECT_EQ(host->lodge(words).out, expected) << "without --";
    EXPECT_NE(guest({"env"}, {"-e", "LIST=[a,b]"}).out.find("LIST=[a,b]\n"), std::string::npos);
    EXPECT_EQ(guest({"env"}, {"-e", "{}"}).code, 2);
}

// As of one that prints the words it is given.
TEST_F(StreamsTest, GivesSshItsWordsAndDoesNotWaitForWhatCannotAnswer) {
    const std::string with_ssh =
        "mkdir -p bin 'a %b'; ln -sf \"$LODGE_SOCKET\" 'a %b/sock';"
        "printf '#!/bin/bash\\nprintf \"<%%s>\" \"$@\"\\n' >bin/ssh; chmod +x bin/ssh;"
        "PATH=$DIR/bin:$PATH; ";
    const std::string said =
        shell(with_ssh + "lodge --socket \"$DIR/a %b/sock\" ssh web1 -- '[x]' '' '{}' -- --json");
    EXPECT_TRUE(said.ends_with("<[x]><><{}><--><--json>")) << said;
    EXPECT_NE(said.find(" --socket \"" + host->directory() + "/a %%b/sock\" known-hosts \"web1\">"),
              std::string::npos)
        << said;
    const std::string refused = with_ssh + "lodge ssh web1 2>&1 || echo $?";
    ASSERT_EQ(host->lodge({"freeze", "web1"}).code, 0);
    EXPECT_EQ(shell(refused), "lodge: 'web1' is frozen; thaw it first\n5\n");
    ASSERT_EQ(host->lodge({"stop", "--force", "web1"}).code, 0);
    EXPECT_EQ(shell(refused), "lodge: 'web1' is not running; start it first\n5\n");
}

// As every program does that is told to write to /dev/stdout.
TEST_F(StreamsTest, LetsACommandOpenItsStreamsAnew) {
    for (const char* user : {"0", "1234"}) {
        const std::vector<std::string> as{"--user", user};
        for (const char* path : {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
            const CliResult said = guest({"write", path, "anew"}, as);
            EXPECT_EQ(said.code, 0) << path << said.err;
            EXPECT_EQ(said.out, "anew") << path;
        }
        for (const char* path : {"/dev/stderr", "/proc/self/fd/2"}) {
            EXPECT_EQ(guest({"write", path, "anew"}, as).err, "anew") << path;
        }
        for (const char* path : {"/dev/stdin", "/proc/self/fd/0"}) {
            EXPECT_EQ(
                host->lodge({"exec", "--user", user, "web1", "/bin/guest", "cat", path}, "typed")
                    .out,
                "typed")
                << path;
        }
    }
}

TEST_F(StreamsTest, TakesClosedStreamsForNothing) {
    const std::string guest = "lodge exec web1 -- /bin/guest ";
    EXPECT_EQ(shell(guest + "cat <&-; echo $?"), "0\n");
    EXPECT_EQ(shell(guest + "echo x >&-; echo $?"), "0\n");
    EXPECT_EQ(shell("set +e; " + guest + "say-both x y 2>&-; echo $?"), "x\n0\n");
    EXPECT_EQ(shell("set +e; " + guest + "exit 7 <&- >&- 2>&-; echo $?"), "7\n");
}

TEST_F(StreamsTest, FailsWhenWhatItPrintsCannotBeWritten) {
    for (const char* command : {"list",
                                "list --json",
                                "info web1",
                                "info web1 --json",
                                "host info",
                                "template list",
                                "console web1 --log",
                                "events --last 1",
                                "events --last 1 --json",
                                "exec web1 -- /bin/guest echo x",
                                "help"}) {
        EXPECT_EQ(shell(std::string("set +e; lodge ") + command + " >/dev/full 2>err; echo $?"),
                  "9\n")
            << command;
        EXPECT_NE(shell("cat err").find("No space left on device"), std::string::npos) << command;
    }
}

// Without one, with what is none, and with more accounts than it was ever meant for.
TEST_F(StreamsTest, FindsAccountsInFilesOfAnySize) {
    const std::string passwd = host->directory() + "/passwd";
    const std::string put = "lodge exec web1 /bin/guest write-input /etc/";
    const std::string accounts =
        "seq 1 60000 | sed 's/.*/u&:x:&:100:somebody:\\/home\\/u&:\\/bin\\/sh/'";
    EXPECT_EQ(shell("(" + accounts + ") | " + put + "passwd"), "");
    EXPECT_EQ(shell("(echo -n 'all:x:5:'; seq -s, -f u%g 1 60000; echo more:x:6:u60000) | " + put +
                    "group"),
              "");
    EXPECT_EQ(guest({"id"}).out, "0 0 0\n");
    EXPECT_EQ(guest({"id"}, {"--user", "u60000"}).out, "60000 100 5,6,100\n");
    ASSERT_EQ(guest({"remove", "/etc/passwd"}).code, 0);
    ASSERT_EQ(guest({"mkdir", "/etc/passwd"}).code, 0);
    EXPECT_EQ(guest({"id"}).out.rfind("0 0", 0), 0U) << "root needs none";
    EXPECT_EQ(guest({"id"}, {"--user", "u60000"}).code, 126);
}

TEST_F(StreamsTest, SetsTheEnvironment) {
    const std::string all = guest({"env"}, {"--env", "COLOUR=dark red", "-e", "EMPTY="}).out;
    EXPECT_NE(all.find("COLOUR=dark red\n"), std::string::npos) << all;
    EXPECT_NE(all.find("EMPTY=\n"), std::string::npos) << all;
    EXPECT_NE(all.find("HOME=/root\n"), std::string::npos) << all;
    EXPECT_EQ(all.find("LODGE_SOCKET"), std::string::npos) << "of the host: " << all;
    const CliResult odd = guest({"env"}, {"--env", "NO-EQUALS"});
    EXPECT_EQ(odd.code, 2) << odd.out;
    EXPECT_NE(odd.err.find("NO-EQUALS"), std::string::npos) << odd.err;
}

TEST_F(StreamsTest, RunsAsTheUserAskedFor) {
    EXPECT_EQ(guest({"id"}).out.rfind("0 0", 0), 0U);
    EXPECT_EQ(guest({"id"}, {"--user", "1234"}).out.rfind("1234 ", 0), 0U);
    const CliResult nobody = guest({"id"}, {"--user", "nosuchuser"});
    EXPECT_EQ(nobody.code, 126);
    EXPECT_NE(nobody.err.find("nosuchuser"), std::string::npos) << nobody.err;
}

TEST_F(StreamsTest, StartsInTheDirectoryAskedFor) {
    EXPECT_EQ(guest({"pwd"}).out, "/root\n");
    EXPECT_EQ(guest({"pwd"}, {"--cwd", "/etc"}).out, "/etc\n");
    const CliResult nowhere = guest({"pwd"}, {"--cwd", "/no/such/place"});
    EXPECT_EQ(nowhere.code, 126);
    EXPECT_NE(nowhere.err.find("/no/such/place"), std::string::npos) << nowhere.err;
}

TEST_F(StreamsTest, PassesSignalsToTheCommand) {
    Pipe out = make_pipe();
    CliProcess cli(
        *host, {"exec", "web1", "--", "/bin/guest", "await-signal"}, {.out = out.write.get()});
    out.write.reset();
    ASSERT_TRUE(read_until(out.read.get(), "ready\n"));
    cli.signal(SIGTERM);
    EXPECT_TRUE(read_until(out.read.get(), "signal 15\n"));
    EXPECT_EQ(cli.wait(), 15) << "the command's own exit code";
}

TEST_F(StreamsTest, AKilledClientEndsItsStreamInTheContainer) {
    const std::size_t before = monitor_descriptors();
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    {
        CliProcess cli(*host,
                       {"exec", "web1", "--", "/bin/guest", "cat"},
                       {.in = in.read.get(), .out = out.write.get()});
        out.write.reset();
        ASSERT_TRUE(kernel::write_all(in.write.get(), "first half\n"));
        ASSERT_TRUE(read_until(out.read.get(), "first half\n"));
        cli.signal(SIGKILL);
        EXPECT_EQ(cli.wait(), 137);
    }
    pollfd wait{.fd = out.read.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, static_cast<int>(patience(10s).count())), 1) << "it lives on";
    char byte = 0;
    EXPECT_EQ(::read(out.read.get(), &byte, 1), 0);
    expect_well(before);
}

TEST_F(StreamsTest, ACommandLearnsThatItsClientWasKilled) {
    const std::size_t before = monitor_descriptors();
    Pipe out = make_pipe();
    CliProcess cli(
        *host, {"exec", "web1", "--", "/bin/guest", "await-signal"}, {.out = out.write.get()});
    out.write.reset();
    ASSERT_TRUE(read_until(out.read.get(), "ready\n"));
    cli.signal(SIGKILL);
    EXPECT_EQ(cli.wait(), 137);
    const Deadline deadline = Deadline::after(patience(10s));
    while (guest({"cat", "/signalled"}).out != "1") { // SIGHUP, as from a lost terminal
        ASSERT_FALSE(deadline.expired());
    }
    expect_well(before);
}

} // namespace

} // namespace lodge::test
