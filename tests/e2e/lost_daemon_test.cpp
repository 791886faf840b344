// What a client is told that loses its daemon between two requests of one command.
#include "lib/base/clock.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace lodge::test {

namespace {

// A daemon that gives these answers, one to each request, and is gone before the last one is read.
class EndingDaemon {
  public:
    EndingDaemon(const std::string& path, std::vector<std::string> answers)
        : answers_(std::move(answers)),
          listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(&address.sun_path[0], sizeof address.sun_path - 1);
        EXPECT_EQ(
            ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
        EXPECT_EQ(::listen(listener_.get(), 4), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~EndingDaemon() { thread_.join(); }
    EndingDaemon(const EndingDaemon&) = delete;
    EndingDaemon& operator=(const EndingDaemon&) = delete;

  private:
    void serve() {
        for (std::size_t at = 0; at < answers_.size(); ++at) {
            const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
            pollfd guest{.fd = listener_.get(), .events = POLLIN, .revents = 0};
            if (::poll(&guest, 1, deadline.poll_timeout()) <= 0) {
                ADD_FAILURE() << "request " << at << " does not come";
                return;
            }
            const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (at + 1 == answers_.size()) {
                listener_.reset(); // nobody is let in any more
            }
            answer(client.get(), answers_[at]);
        }
    }
    static void answer(int client, const std::string& body) {
        std::array<char, 65536> request{};
        EXPECT_GT(::recv(client, request.data(), request.size(), 0), 0);
        if (!body.empty()) {
            const std::string text =
                "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                body;
            EXPECT_EQ(::send(client, text.data(), text.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(text.size()));
        }
    }

    std::vector<std::string> answers_; ///< bodies; empty: none, and the connection ends
    UniqueFd listener_;
    std::thread thread_; ///< last: it uses all of the above
};

CliResult ask(const std::vector<std::string>& words, std::vector<std::string> answers) {
    const TempDir place;
    const std::string socket = place.path() + "/lodged.sock";
    const EndingDaemon daemon(socket, std::move(answers));
    std::vector<std::string> all{"--socket", socket};
    all.insert(all.end(), words.begin(), words.end());
    return run_to_end(LODGE_BIN_DIR "/lodge", all);
}

std::string operation(const std::string& status) {
    return R"({"id": "0123abcd-4567-4abc-8def-0123456789ab", "verb": "start", "resource": "web1", )"
           R"("step": "monitor", "status": ")" +
           status + "\"}";
}

const std::vector<std::string> kCancel{
    "operation", "cancel", "0123abcd-4567-4abc-8def-0123456789ab"};

// A cancel that has no end within a second says what it waits for.
TEST(SlowDaemon, IsToldToOneWhoCancels) {
    const CliResult done =
        ask(kCancel, {"{}", operation("running"), operation("cancelled"), operation("cancelled")});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(done.err,
              "waiting for start 'web1', which cannot be ended in its step 'monitor' or is being "
              "undone ...\nstart 'web1': cancelled\n");
    const CliResult quick = ask(kCancel, {"{}", operation("cancelled"), operation("cancelled")});
    EXPECT_EQ(quick.err, "start 'web1': cancelled\n");
}

// An operation that came about before the daemon ended, and one of which that is not known.
TEST(LostDaemon, IsToldAsOneThatBrokeOffOnceItWasAsked) {
    const std::string done = operation("succeeded");
    const std::string running = operation("running");
    for (const auto& [words, answer] :
         std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"create", "web1", "--template", "tiny"}, done},
             {{"create", "web1", "--template", "tiny"}, running},
             {{"create", "web1", "--template", "tiny"}, ""},
             {{"create", "web1", "--template", "tiny", "--wait", "ready"}, done},
             {{"start", "web1", "--wait", "ready"}, done},
             {{"stop", "web1"}, running},
             {{"stop", "web1"}, ""},
             {{"wait", "web1"}, ""},
             {kCancel, "{}"}}) {
        const CliResult lost = ask(words, {answer});
        EXPECT_EQ(lost.code, 1) << words[0] << ' ' << answer << ' ' << lost.err;
        EXPECT_TRUE(lost.err.starts_with("lodge: lodged broke off before it answered; "))
            << lost.err;
        EXPECT_NE(lost.err.find("`lodge operation list`"), std::string::npos) << lost.err;
    }
    EXPECT_EQ(run_to_end(LODGE_BIN_DIR "/lodge", {"--socket", "/nowhere", "stop", "web1"}).code, 20)
        << "it was never asked";
}

} // namespace

} // namespace lodge::test
