// What is on its way is shown and, where it can be undone, ended.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/replaced_file.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

namespace lodge::test {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

// A start takes some seconds longer while it lives.
class SlowMonitor {
  public:
    explicit SlowMonitor(const std::string& directory, int seconds = 2) {
        const std::string monitor = LODGE_BIN_DIR "/lodge-monitor";
        const std::string real = directory + "/lodge-monitor";
        std::filesystem::copy(monitor, real);
        const std::string pipe = directory + "/nobody-writes"; // to wait without a child
        EXPECT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
        slow_.emplace(monitor,
                      "#!/bin/bash\nread -r -t " + std::to_string(seconds) + " <>" + pipe +
                          "\nexec " + real + " \"$@\"\n",
                      0755);
    }

  private:
    std::optional<ReplacedFile> slow_;
};

// Whether a process handles a signal (proc_pid_status(5)).
bool catches(pid_t pid, int signal) {
    const std::string mark = "SigCgt:\t";
    const auto status = kernel::read_file("/proc/" + std::to_string(pid) + "/status", 65536);
    const std::size_t at = status ? status->find(mark) : std::string::npos;
    return at != std::string::npos &&
           (std::stoull(status->substr(at + mark.size(), 16), nullptr, 16) >> (signal - 1) & 1) !=
               0;
}

class CancelTest : public LodgeTest {
  protected:
    json operations(std::vector<std::string> more = {}) {
        std::vector<std::string> words{"operation", "list", "--json"};
        words.insert(words.end(), more.begin(), more.end());
        return json::parse(host->lodge(words).out, nullptr, false);
    }
    // The id of the only one that is on its way, once it is.
    std::string await_operation(const std::string& verb) {
        const Deadline deadline = Deadline::after(patience(10s));
        while (!deadline.expired()) {
            const json running = operations();
            if (running.size() == 1 && running[0].value("verb", "") == verb) {
                return running[0].value("id", "");
            }
            (void)::poll(nullptr, 0, 5);
        }
        ADD_FAILURE() << verb << " is not on its way: " << operations().dump();
        return {};
    }
    CliResult cancel(const std::string& id) { return host->lodge({"operation", "cancel", id}); }
};

TEST_F(CancelTest, UndoesAnImportThatIsOnItsWay) {
    const std::string pipe = host->directory() + "/slow.tar";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    CliProcess import(*host, {"template", "import", "slow", pipe}, CliStreams{});
    UniqueFd archive(::open(pipe.c_str(), O_WRONLY | O_CLOEXEC)); // waits for its reader
    ASSERT_TRUE(archive);
    // An import begins with the first MiB of its archive, or its end.
    const auto tiny = kernel::read_file(host->directory() + "/tiny.tar", std::size_t{64} << 20);
    ASSERT_TRUE(tiny);
    ASSERT_TRUE(kernel::write_all(archive.get(),
                                  tiny->substr(0, 512) + std::string(std::size_t{3} << 20, '\0')));
    const std::string id = await_operation("template import");
    const CliResult cancelled = cancel(id);
    EXPECT_EQ(cancelled.code, 0) << cancelled.err;
    EXPECT_NE(cancelled.err.find("'template slow': cancelled"), std::string::npos) << cancelled.err;
    archive.reset();
    EXPECT_EQ(import.wait(), 12);
    EXPECT_EQ(host->lodge({"template", "info", "slow"}).code, 3);
    EXPECT_EQ(operations().size(), 0U);
    const json ended = operations({"--all"});
    ASSERT_FALSE(ended.empty());
    EXPECT_EQ(ended.back().value("status", ""), "cancelled");

    const CliResult again = cancel(id);
    EXPECT_EQ(again.code, 5);
    EXPECT_NE(again.err.find("has ended"), std::string::npos) << again.err;
}

TEST_F(CancelTest, UndoesAStartAndACreateThatAreOnTheirWay) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    {
        const SlowMonitor slow(host->directory());
        for (const auto& [verb, words] :
             std::vector<std::pair<std::string, std::vector<std::string>>>{
                 {"start", {"start", "web1"}},
                 {"create+start", {"create", "web2", "--template", "tiny", "--start"}}}) {
            CliProcess asked(*host, words, CliStreams{});
            const CliResult cancelled = cancel(await_operation(verb));
            EXPECT_EQ(cancelled.code, 0) << verb << ": " << cancelled.err;
            EXPECT_EQ(asked.wait(), 12) << verb << host->daemon_log();
        }
    }
    EXPECT_EQ(host->field("web1", "state"), "stopped");
    EXPECT_EQ(host->lodge({"info", "web2"}).code, 3);
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
}

TEST_F(CancelTest, LeavesAStopToItsEnd) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--start"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/stubborn", ""}).code, 0);
    CliProcess stop(*host, {"stop", "web1", "--timeout", "1h"}, CliStreams{});
    const CliResult refused = cancel(await_operation("stop"));
    EXPECT_EQ(refused.code, 5);
    EXPECT_NE(refused.err.find("can no longer be undone"), std::string::npos) << refused.err;
    EXPECT_EQ(host->lodge({"kill", "web1"}).code, 0);
    EXPECT_EQ(stop.wait(), 0);
}

// By Ctrl-C, as it is typed.
TEST_F(CancelTest, IsOfferedToOneWhoInterruptsTheCommand) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    ASSERT_EQ(host->lodge({"create", "web2", "--template", "tiny", "--start"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(await_init("web2"));
    ASSERT_EQ(host->lodge({"exec", "web2", "--", "/bin/guest", "write", "/stubborn", ""}).code, 0);
    const SlowMonitor slow(host->directory(), 4); // past the clock, whatever else runs
    for (const auto& [words, told] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"start", "web1"}, "` cancels it"},
             {{"stop", "web2", "--timeout", "1h"},
              ", which can no longer be undone; `lodge operation list` shows it"}}) {
        UserTerminal terminal = make_user_terminal(24, 200);
        CliProcess asked(*host, words, terminal);
        ASSERT_TRUE(await_text(terminal, words[0] + ": ")) << "its step is shown";
        ASSERT_TRUE(await_text(terminal, " 00:01 ...")) << "and a clock";
        type(terminal, "\x03");
        ASSERT_TRUE(await_text(terminal, words[0] + " '" + words[1] + "' goes on as operation "));
        const auto rest = await_text(terminal, told);
        ASSERT_TRUE(rest) << told;
        EXPECT_EQ(asked.wait(), 128 + SIGINT) << words[0];
        if (words[0] == "start") { // while it is on its way
            const std::string id = rest->substr(0, rest->find(';'));
            EXPECT_EQ(cancel(id).code, 0) << id << host->daemon_log();
        }
    }
    EXPECT_EQ(host->field("web2", "busy_with"), "stop") << "it goes on";
    EXPECT_EQ(host->lodge({"kill", "web2"}).code, 0);
    expect_field("web2", "busy_with", "");
}

TEST_F(CancelTest, NeedsNoPatienceOfOneWhoInterruptsTwice) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--start"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    ASSERT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "write", "/stubborn", ""}).code, 0);
    const Pipe full = make_pipe(); // nobody reads what is said
    ASSERT_EQ(::fcntl(full.write.get(), F_SETPIPE_SZ, 4096), 4096);
    ASSERT_TRUE(kernel::write_all(full.write.get(), std::string(4096, ' ')));
    CliProcess stop(*host, {"stop", "web1", "--timeout", "1h"}, {.err = full.write.get()});
    (void)await_operation("stop");
    stop.signal(SIGINT);
    const Deadline deadline = Deadline::after(patience(10s));
    while (catches(stop.pid(), SIGINT) && !deadline.expired()) {
        (void)::poll(nullptr, 0, 5); // the first one is not handled yet
    }
    EXPECT_TRUE(stop.running());
    stop.signal(SIGINT);
    EXPECT_EQ(stop.wait(), 128 + SIGINT);
    EXPECT_EQ(host->lodge({"kill", "web1"}).code, 0);
    expect_field("web1", "busy_with", "");
}

TEST_F(CancelTest, NamesWhatIsNoOperation) {
    EXPECT_EQ(cancel("web1").code, 2);
    EXPECT_EQ(cancel("0123abcd-4567-4abc-8def-0123456789ab").code, 3);
}

} // namespace

} // namespace lodge::test
