// The end of lodged: soon, whatever waits, and nothing of it is lost.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/raw_http.hpp"
#include "tests/support/session_client.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

class EndingTest : public RunningContainerTest {
  protected:
    void TearDown() override {
        clients_.clear();
        // A stop that was resumed waits for an init that hears nothing.
        if (host->lodge({"kill", "web1", "--signal", "KILL"}).code == 0) { // else none runs
            expect_field("web1", "state", "stopped"); // before that, no operation may be seen yet
        }
        const Deadline deadline = Deadline::after(patience(20s));
        while (host->lodge({"operation", "list", "--json"}).out != "[]\n" && !deadline.expired()) {
        }
        RunningContainerTest::TearDown();
    }
    // How long SIGTERM takes. LodgeHost expects that it ends with 0.
    milliseconds end_daemon() {
        const auto begin = Deadline::Clock::now();
        host->stop_daemon();
        return std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begin);
    }
    void make_stubborn(const std::string& name) {
        ASSERT_NO_FATAL_FAILURE(await_init(name));
        ASSERT_EQ(host->lodge({"exec", name, "--", "/bin/guest", "write", "/stubborn", ""}).code, 0)
            << host->daemon_log();
    }
    void await_busy(const std::string& name, const std::string& verb) {
        ASSERT_NO_FATAL_FAILURE(expect_field(name, "busy_with", verb));
    }
    CliProcess& begin(const std::vector<std::string>& arguments, const CliStreams& streams = {}) {
        return *clients_.emplace_back(std::make_unique<CliProcess>(*host, arguments, streams));
    }
    std::list<std::unique_ptr<CliProcess>>& clients() { return clients_; }

  private:
    std::list<std::unique_ptr<CliProcess>> clients_;
};

constexpr const char* kHead = "POST /v1/containers HTTP/1.1\r\nHost: lodge\r\n";

TEST_F(EndingTest, TakesLessThanTwoSecondsWhateverWaits) {
    ASSERT_EQ(host->lodge({"create", "web2", "--template", "tiny", "--start"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(make_stubborn("web1"));
    CliProcess& stop = begin({"stop", "web1", "--timeout", "1h"});
    ASSERT_NO_FATAL_FAILURE(await_busy("web1", "stop"));
    CliProcess& wait = begin({"wait", "web2", "--for", "stopped", "--timeout", "40s"});
    CliProcess& events = begin({"events"});
    CliProcess& console = begin({"console", "web2"});
    Pipe output = make_pipe();
    CliProcess& exec =
        begin({"exec", "web2", "--", "/bin/guest", "await-signal"}, {.out = output.write.get()});
    ASSERT_TRUE(read_until(output.read.get(), "ready"));
    const std::string pipe = host->directory() + "/slow.tar";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    CliProcess& import = begin({"template", "import", "slow", pipe});
    UniqueFd archive(::open(pipe.c_str(), O_WRONLY | O_CLOEXEC)); // waits for its reader
    std::vector<RawHttp> halves;
    for (const char* rest :
         {"", "Content-Length: 10\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n"}) {
        EXPECT_TRUE(halves.emplace_back(host->socket()).send(kHead + std::string(rest)));
    }
    const RawHttp large(host->socket());
    EXPECT_TRUE(large.send("POST /v1/templates/large/import HTTP/1.1\r\n"
                           "Content-Length: 9000000\r\n\r\nx"));
    const RawHttp idle(host->socket());
    while (host->lodge({"operation", "list"}).out.find("large") == std::string::npos) {
    }
    EXPECT_LT(end_daemon(), patience(2s)) << host->daemon_log();
    archive.reset(); // else it reads there
    // As if it had been killed.
    for (CliProcess* client : {&stop, &wait, &import}) {
        EXPECT_EQ(client->wait(), 1) << host->daemon_log();
    }
    EXPECT_EQ(events.wait(), 20) << "nothing it asked for may be done or undone";
    EXPECT_TRUE(console.running());
    EXPECT_TRUE(exec.running());
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "busy_with"), "stop") << "it goes on";
    EXPECT_EQ(host->field("web1", "state"), "running");
    EXPECT_EQ(host->lodge({"operation", "list"}).out.find("import"), std::string::npos);
    EXPECT_EQ(host->lodge({"template", "import", "slow", host->directory() + "/tiny.tar"}).code, 0)
        << "nothing of it is left";
    EXPECT_EQ(host->lodge({"kill", "web1", "--signal", "KILL"}).code, 0);
}

// One who looks again and again at how far it is, as a person's does, finds nobody to ask.
TEST_F(EndingTest, IsToldToAClientAsAKillIs) {
    ASSERT_NO_FATAL_FAILURE(make_stubborn("web1"));
    std::vector<std::string> told;
    for (const bool orderly : {true, false}) {
        UserTerminal terminal = make_user_terminal(24, 200);
        CliProcess stop(*host, {"stop", "web1", "--timeout", "1h"}, terminal);
        ASSERT_TRUE(await_text(terminal, "stop: halt"));
        orderly ? host->stop_daemon() : host->kill_daemon();
        EXPECT_EQ(stop.wait(), 1);
        EXPECT_TRUE(await_text(terminal, "lodged broke off")) << orderly;
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
        ASSERT_EQ(host->lodge({"kill", "web1", "--signal", "KILL"}).code, 0);
        ASSERT_NO_FATAL_FAILURE(expect_field("web1", "busy_with", ""));
        ASSERT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
    }
}

TEST_F(EndingTest, WaitsForNoHostThatIsGoingDown) {
    ASSERT_NO_FATAL_FAILURE(make_stubborn("web1"));
    CliProcess& down = begin({"host", "shutdown", "--timeout", "1h"});
    ASSERT_NO_FATAL_FAILURE(await_busy("web1", "stop with host"));
    EXPECT_LT(end_daemon(), patience(2s)) << host->daemon_log();
    EXPECT_EQ(down.wait(), 1);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("web1", "busy_with"), "stop with host");
    EXPECT_EQ(host->lodge({"kill", "web1", "--signal", "KILL"}).code, 0);
}

/// Asks again and again, and knows the longest time in which nobody answered.
class Prober {
  public:
    explicit Prober(std::string socket) : socket_(std::move(socket)), thread_([this] { run(); }) {}
    milliseconds stop() {
        ends_ = true;
        thread_.join();
        return longest_;
    }

  private:
    bool ask() const {
        const UniqueFd line(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_.copy(&address.sun_path[0], sizeof address.sun_path - 1);
        constexpr std::string_view kAsk = "GET /v1/version HTTP/1.1\r\n\r\n";
        char first = 0;
        return ::connect(line.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                   0 &&
               ::send(line.get(), kAsk.data(), kAsk.size(), MSG_NOSIGNAL) > 0 &&
               ::recv(line.get(), &first, 1, 0) == 1;
    }
    void run() {
        auto last = Deadline::Clock::now();
        while (!ends_) {
            const bool answered = ask();
            const auto now = Deadline::Clock::now();
            if (answered) {
                longest_ = std::max(longest_, std::chrono::duration_cast<milliseconds>(now - last));
                last = now;
            }
            (void)::poll(nullptr, 0, 1); // it need not be asked more often
        }
    }

    const std::string socket_;
    milliseconds longest_{};
    std::atomic<bool> ends_ = false;
    std::thread thread_; ///< last: it uses all of the above
};

// Everything at once, again and again; what it is worth is seen under the sanitizers.
TEST_F(EndingTest, LosesNothingUnderLoad) {
    for (const char* name : {"web2", "web3"}) {
        ASSERT_EQ(host->lodge({"create", name, "--template", "tiny", "--start"}).code, 0);
    }
    ASSERT_NO_FATAL_FAILURE(make_stubborn("web1"));
    milliseconds longest{};
    for (int round = 0; round < 4; ++round) {
        Prober prober(host->socket());
        (void)begin({"stop", "web1", "--timeout", "1h"});
        ASSERT_NO_FATAL_FAILURE(await_busy("web1", "stop"));
        const std::string mark = std::to_string(round);
        for (int i = 0; i < 6; ++i) {
            const std::string name = "load" + mark + "-" + std::to_string(i);
            (void)begin({"create", name, "--template", "tiny", "--start"});
            (void)begin({"wait", name, "--for", "running", "--timeout", "40s"});
        }
        (void)begin({"restart", "web2"});
        (void)begin({"exec", "web3", "--", "/bin/guest", "true"});
        (void)begin({"template", "import", "t" + mark, host->directory() + "/tiny.tar"});
        (void)begin({"events"});
        (void)begin({"host", "check"});
        if (round % 2 == 1) {
            (void)begin({"host", "shutdown", "--timeout", "1h"});
        }
        (void)::poll(nullptr, 0, 20 * round); // not waiting for anything: the moment varies
        EXPECT_LT(end_daemon(), patience(2s)) << host->daemon_log();
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
        longest = std::max(longest, prober.stop());
        for (const auto& client : clients()) {
            EXPECT_NE(client->wait(), -1);
        }
        clients().clear();
        EXPECT_EQ(host->lodge({"kill", "web1", "--signal", "KILL"}).code, 0) << host->daemon_log();
        ASSERT_NO_FATAL_FAILURE(expect_field("web1", "busy_with", ""));
        EXPECT_EQ(host->lodge({"host", "startup"}).code, 0);
        ASSERT_NO_FATAL_FAILURE(expect_field("web1", "busy_with", ""));
        const int started = host->lodge({"start", "web1"}).code;
        EXPECT_TRUE(started == 0 || started == 5 || started == 6) << started;
        ASSERT_NO_FATAL_FAILURE(expect_field("web1", "state", "running"));
        ASSERT_NO_FATAL_FAILURE(expect_field("web1", "busy_with", ""));
        ASSERT_NO_FATAL_FAILURE(await_init("web1"));
    }
    std::cout << "longest time without an answer over a restart under load: " << longest.count()
              << " ms\n";
    RecordProperty("longest_without_an_answer_ms", static_cast<int>(longest.count()));
    EXPECT_LT(longest, patience(2s));
    const CliResult check = host->lodge({"host", "check"});
    EXPECT_EQ(check.code, 0) << check.out << host->daemon_log();
}

} // namespace

} // namespace lodge::test
