// What a broken or hostile client sends over the socket. The daemon answers what can be answered,
// keeps its memory, and goes on; nothing half-made stays.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/raw_http.hpp"
#include "tests/support/requires.hpp"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <poll.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMebibyte = std::size_t{1} << 20;
// Far less than what is sent; a sanitizer's shadow memory is counted too.
constexpr std::size_t kMostMemory = (kSanitized ? 64 : 16) * kMebibyte;
constexpr std::size_t kHundredMegabytes = 100'000'000;

std::string
request_head(const std::string& method, const std::string& path, const std::string& fields) {
    return method + " " + path + " HTTP/1.1\r\nHost: lodge\r\n" + fields + "\r\n";
}

std::string post(const std::string& path, const std::string& body) {
    return request_head("POST", path, "Content-Length: " + std::to_string(body.size()) + "\r\n") +
           body;
}

class BadRequestsTest : public LodgeTest {
  protected:
    // The three digits of the answer; empty: it hung up without one.
    std::string status_of(const std::string& bytes) {
        const RawHttp connection(host->socket());
        (void)connection.send(bytes); // it may be refused before it is read
        connection.finish();
        const auto answer = connection.answer();
        EXPECT_TRUE(answer) << answer.error().to_string();
        const std::string mark = "HTTP/1.1 ";
        return answer && answer->starts_with(mark) ? answer->substr(mark.size(), 3) : "";
    }
    std::uint64_t daemon_memory(const std::string& key) {
        const auto text =
            kernel::read_file("/proc/" + std::to_string(host->daemon_pid()) + "/status", 65536);
        EXPECT_TRUE(text);
        const std::size_t at = text ? text->find(key + ":") : std::string::npos;
        return at == std::string::npos ? 0 : std::stoull(text->substr(at + key.size() + 1)) * 1024;
    }
    // VmHWM counts from now on (proc(5), clear_refs).
    void forget_peak() {
        const auto clear = kernel::open_file(
            "/proc/" + std::to_string(host->daemon_pid()) + "/clear_refs", O_WRONLY);
        ASSERT_TRUE(clear && kernel::write_all(clear->get(), "5"));
    }
    // The operation of a client that went away may still be on its way.
    CliResult repeat_while_busy(const std::vector<std::string>& arguments) {
        constexpr int kBusy = 6;
        const Deadline deadline = Deadline::after(patience(20s));
        CliResult result;
        do {
            result = host->lodge(arguments);
        } while (result.code == kBusy && !deadline.expired());
        return result;
    }
    std::string images() {
        std::string names;
        for (const auto& entry :
             std::filesystem::directory_iterator(host->directory() + "/state/templates")) {
            names += entry.path().filename().string() + "\n";
        }
        return names;
    }
    void expect_alive_and_empty(pid_t daemon) {
        EXPECT_EQ(host->daemon_pid(), daemon);
        const CliResult list = host->lodge({"list", "--json"});
        EXPECT_EQ(list.code, 0) << list.err << host->daemon_log();
        EXPECT_EQ(list.out, "[]\n");
    }
};

TEST_F(BadRequestsTest, RefusesABodyOfAHundredMegabytesInBoundedMemory) {
    const pid_t daemon = host->daemon_pid();
    forget_peak();
    const std::uint64_t before = daemon_memory("VmHWM");
    const std::string piece(kMebibyte, ' ');
    const RawHttp sized(host->socket());
    (void)sized.send(request_head(
        "POST", "/v1/containers", "Content-Length: " + std::to_string(kHundredMegabytes) + "\r\n"));
    for (std::size_t sent = 0; sent < kHundredMegabytes && sized.send(piece);) {
        sent += piece.size();
    }
    const auto answer = sized.answer();
    ASSERT_TRUE(answer) << answer.error().to_string();
    EXPECT_EQ(answer->rfind("HTTP/1.1 413", 0), 0U) << *answer;
    EXPECT_NE(answer->find("\"resource_exhausted\""), std::string::npos) << *answer;
    const RawHttp chunked(host->socket());
    (void)chunked.send(request_head("POST", "/v1/containers", "Transfer-Encoding: chunked\r\n"));
    for (std::size_t sent = 0;
         sent < kHundredMegabytes && chunked.send("100000\r\n" + piece + "\r\n");) {
        sent += piece.size();
    }
    const auto second = chunked.answer();
    ASSERT_TRUE(second) << second.error().to_string();
    EXPECT_EQ(second->rfind("HTTP/1.1 413", 0), 0U) << *second;
    EXPECT_LT(daemon_memory("VmHWM"), before + kMostMemory);
    expect_alive_and_empty(daemon);
}

TEST_F(BadRequestsTest, AnswersMalformedHttpAndGoesOn) {
    const pid_t daemon = host->daemon_pid();
    const std::string zeros(4096, '\0');
    for (const std::string& bytes :
         {std::string("GARBAGE\r\n\r\n"),
          std::string("GET\r\n\r\n"),
          std::string("\r\n\r\n\r\n"),
          std::string("GET /v1/containers HTTP/9.9\r\n\r\n"),
          request_head("GET", "/" + std::string(kMebibyte, 'a'), ""),
          request_head("POST", "/v1/containers", "Content-Length: -5\r\n"),
          request_head("POST", "/v1/containers", "Content-Length: x\r\n"),
          request_head("POST", "/v1/containers", "Content-Length: 99999999999999999999\r\n"),
          request_head("GET", "/v1/containers/%zz", ""),
          request_head("GET", "/v1/containers/a%00b", ""),
          zeros}) {
        const std::string status = status_of(bytes);
        EXPECT_TRUE(status.starts_with("4")) << status << " for " << bytes.substr(0, 60);
    }
    expect_alive_and_empty(daemon);
}

TEST_F(BadRequestsTest, BoundsTheHeadOfARequest) {
    const pid_t daemon = host->daemon_pid();
    forget_peak();
    const std::uint64_t before = daemon_memory("VmHWM");
    const RawHttp one_line(host->socket());
    (void)one_line.send("GET /v1/containers HTTP/1.1\r\nX: ");
    const std::string piece(kMebibyte, 'a');
    for (std::size_t sent = 0; sent < kHundredMegabytes && one_line.send(piece);) {
        sent += piece.size();
    }
    one_line.finish();
    EXPECT_TRUE(one_line.answer());
    EXPECT_LT(daemon_memory("VmHWM"), before + kMostMemory);
    expect_alive_and_empty(daemon);
}

TEST_F(BadRequestsTest, RefusesBodiesThatAreNotWhatTheyShouldBe) {
    const pid_t daemon = host->daemon_pid();
    for (const std::string& body : {std::string("{"),
                                    std::string("[]"),
                                    std::string("null"),
                                    std::string("{\"name\": 7}"),
                                    std::string("{\"name\": \"web1\"}"),
                                    std::string("{\"name\": \"web1\", \"colour\": \"red\"}"),
                                    std::string("{\"name\": \"\xff\xfe\"}"),
                                    "{\"a\":" + std::string(100'000, '[') + "}",
                                    std::string(1000, '\0')}) {
        EXPECT_EQ(status_of(post("/v1/containers", body)), "400") << body.substr(0, 60);
    }
    EXPECT_EQ(status_of(request_head("GET", "/v2/containers", "")), "404");
    EXPECT_EQ(status_of(request_head("GET", "/", "")), "404");
    EXPECT_EQ(status_of(request_head("BREW", "/v1/containers", "")), "405");
    EXPECT_EQ(status_of(post("/v1/containers/web1/exec", "{\"argv\": [\"true\"]}")), "400")
        << "exec needs an upgrade";
    expect_alive_and_empty(daemon);
}

// A refused request has done nothing: all of it is looked at before any of it is done.
TEST_F(BadRequestsTest, RefusesWhatItDoesNotKnowBeforeItActs) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    const std::string before = host->lodge({"list", "--json"}).out;
    const std::string web2 = R"({"name": "web2", "template": "tiny"})";
    const std::string one = "/v1/containers/web1";
    for (const auto& [method, path, body] :
         std::vector<std::tuple<std::string, std::string, std::string>>{
             {"POST", "/v1/containers", web2},
             {"DELETE", one, ""},
             {"PATCH", one, R"({"description": "changed"})"},
             {"POST", one + "/start", ""},
             {"POST", one + "/stop", "{}"},
             {"POST", one + "/restart", "{}"},
             {"POST", one + "/kill", "{}"},
             {"POST", one + "/freeze", ""},
             {"POST", one + "/thaw", ""},
             {"POST", "/v1/templates/other/build", R"({"definition": "debian-12"})"},
             {"POST", "/v1/templates/other/import", ""},
             {"DELETE", "/v1/templates/tiny", ""},
             {"POST", "/v1/host/shutdown", "{}"},
             {"POST", "/v1/host/startup", ""},
             {"POST", "/v1/host/check", ""},
             {"POST", "/v1/operations/0123abcd-4567-4abc-8def-0123456789ab/cancel", ""},
             {"GET", "/v1/containers", ""},
             {"GET", "/v1/host", ""},
             {"GET", "/v1/events", ""}}) {
        const auto with_body = [&](const std::string& query, const std::string& text) {
            return request_head(method,
                                path + query,
                                "Content-Length: " + std::to_string(text.size()) + "\r\n") +
                   text;
        };
        for (const char* query : {"?wait=bald", "?force=maybe", "?colour=red"}) {
            EXPECT_EQ(status_of(with_body(query, body)), "400") << method << path << query;
        }
        if (!path.ends_with("/import")) { // its body is an archive
            for (const char* text : {R"({"colour": "red"})", "{", "[]"}) {
                EXPECT_EQ(status_of(with_body("", text)), "400") << method << path << text;
            }
        }
    }
    EXPECT_EQ(host->lodge({"list", "--json"}).out, before);
    EXPECT_EQ(host->lodge({"template", "info", "tiny"}).code, 0);
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0) << "the host does not go down";
}

TEST_F(BadRequestsTest, ForgetsARequestThatWasCutInItsBody) {
    const pid_t daemon = host->daemon_pid();
    RawHttp connection(host->socket());
    EXPECT_TRUE(connection.send(request_head("POST", "/v1/containers", "Content-Length: 500\r\n") +
                                "{\"name\": \"web1\", \"template\": \"tiny\", \"start\": true"));
    connection.hang_up();
    expect_alive_and_empty(daemon);
}

TEST_F(BadRequestsTest, CompletesACreateWhoseClientWentAway) {
    RawHttp connection(host->socket());
    EXPECT_TRUE(connection.send(
        post("/v1/containers?wait=60s", "{\"name\": \"web1\", \"template\": \"tiny\"}")));
    connection.hang_up();
    expect_field("web1", "state", "stopped");
    expect_field("web1", "busy_with", "");
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0) << host->daemon_log();
    EXPECT_EQ(host->lodge({"exec", "web1", "--", "/bin/guest", "exit", "5"}).code, 5);
}

TEST_F(BadRequestsTest, CompletesACreateWhoseCommandWasKilled) {
    for (int i = 0; i < 10; ++i) {
        const std::string name = "web" + std::to_string(i);
        CliProcess cli(*host, {"create", name, "--template", "tiny", "--start"}, CliStreams{});
        (void)::poll(nullptr, 0, 3 * i); // not waiting for anything: the moment of the kill varies
        cli.signal(SIGKILL);
        (void)cli.wait();
        // Busy as long as the killed one's create goes on; then the name is taken or free.
        const CliResult again = repeat_while_busy({"create", name, "--template", "tiny"});
        EXPECT_TRUE(again.code == 0 || again.code == 4) << again.err;
        expect_field(name, "busy_with", "");
        EXPECT_EQ(host->field(name, "state"), again.code == 0 ? "stopped" : "running") << name;
    }
}

TEST_F(BadRequestsTest, ForgetsAnImportWhoseClientWentAway) {
    const auto tar = kernel::read_file(host->directory() + "/tiny.tar", 64 * kMebibyte);
    ASSERT_TRUE(tar);
    for (const std::size_t share : {std::size_t{0}, tar->size() / 3, tar->size() - 20'000}) {
        RawHttp connection(host->socket());
        EXPECT_TRUE(
            connection.send(request_head("POST",
                                         "/v1/templates/cut" + std::to_string(share) + "/import",
                                         "Transfer-Encoding: chunked\r\n") +
                            "ffffff\r\n" + tar->substr(0, share)));
        connection.hang_up();
    }
    for (const std::size_t share : {std::size_t{0}, tar->size() / 3, tar->size() - 20'000}) {
        const std::string name = "cut" + std::to_string(share);
        const CliResult again =
            repeat_while_busy({"template", "import", name, host->directory() + "/tiny.tar"});
        EXPECT_EQ(again.code, 0) << "the name must be free: " << again.err;
        EXPECT_EQ(host->lodge({"template", "remove", name}).code, 0);
    }
    // An image is removed behind the answer.
    const std::string tiny = host->field_of_template("tiny", "digest");
    const std::string expected = tiny.substr(tiny.find(':') + 1) + "\n";
    const Deadline deadline = Deadline::after(patience(10s));
    while (images() != expected && !deadline.expired()) {
    }
    EXPECT_EQ(images(), expected);
}

TEST_F(BadRequestsTest, HearsOthersHoweverManyWait) {
    constexpr int kExhausted = 10;
    const auto room_is_full = [this] { return host->lodge({"wait", "none"}).code == kExhausted; };
    std::vector<RawHttp> readers;
    for (int i = 0; i < 448; ++i) { // docs/api.md
        EXPECT_TRUE(
            readers.emplace_back(host->socket()).send(request_head("GET", "/v1/events", "")));
    }
    for (const RawHttp& reader : readers) {
        ASSERT_EQ(reader.beginning().substr(0, 12), "HTTP/1.1 200");
    }
    EXPECT_TRUE(room_is_full());
    // Whoever cannot wait asks again until it is done.
    const CliResult made = host->lodge({"create", "web1", "--template", "tiny", "--start"});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(host->lodge({"list"}).code, 0);
    readers.clear();
    EXPECT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 0); // they had heard of it
    const Deadline left = Deadline::after(patience(20s));
    while (room_is_full()) {
        ASSERT_FALSE(left.expired()) << host->daemon_log();
    }
}

TEST_F(BadRequestsTest, ServesOthersWhileManyConnectionsIdle) {
    std::vector<RawHttp> idle;
    for (int i = 0; i < 40; ++i) {
        EXPECT_TRUE(idle.emplace_back(host->socket()).send("GET /v1/cont"));
    }
    EXPECT_EQ(host->lodge({"list"}).code, 0) << host->daemon_log();
}

} // namespace

} // namespace lodge::test
