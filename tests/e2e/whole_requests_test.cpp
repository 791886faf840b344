// Nothing is done for a request of which a part did not come or is not understood, and who is slow
// to say what he wants holds up nobody.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/raw_http.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

std::string head(const std::string& method, const std::string& target, const std::string& fields) {
    return method + " " + target + " HTTP/1.1\r\nHost: lodge\r\n" + fields + "\r\n";
}

struct Asked {
    const char* method;
    const char* target;
};

// Whatever changes something.
constexpr std::array kChanges{
    Asked{"POST", "/v1/containers"},
    Asked{"DELETE", "/v1/containers/web1?force=true"},
    Asked{"PATCH", "/v1/containers/web1"},
    Asked{"POST", "/v1/containers/idle/start"},
    Asked{"POST", "/v1/containers/web1/stop"},
    Asked{"POST", "/v1/containers/web1/restart"},
    Asked{"POST", "/v1/containers/web1/kill"},
    Asked{"POST", "/v1/containers/web1/freeze"},
    Asked{"POST", "/v1/containers/web1/exec"},
    Asked{"POST", "/v1/containers/web1/console"},
    Asked{"DELETE", "/v1/templates/spare"},
    Asked{"POST", "/v1/templates/none/build"},
    Asked{"POST", "/v1/host/shutdown"},
    Asked{"POST", "/v1/host/startup"},
    Asked{"POST", "/v1/host/check"},
};

class WholeRequestsTest : public RunningContainerTest {
  protected:
    void SetUp() override {
        RunningContainerTest::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        ASSERT_EQ(host->lodge({"create", "idle", "--template", "tiny"}).code, 0);
        ASSERT_EQ(
            host->lodge({"template", "import", "spare", host->directory() + "/tiny.tar"}).code, 0);
        before_ = all();
    }
    // What there is, and the process that each container runs in.
    std::string all() {
        return host->lodge({"list", "--json"}).out +
               host->lodge({"template", "list", "--json"}).out;
    }
    std::string status_of(const std::string& bytes, bool finish = true) {
        const RawHttp connection(host->socket());
        (void)connection.send(bytes); // it may be refused before it is read
        if (finish) {
            connection.finish();
        }
        const auto answer = connection.answer();
        EXPECT_TRUE(answer) << answer.error().to_string();
        const std::string mark = "HTTP/1.1 ";
        return answer && answer->starts_with(mark) ? answer->substr(mark.size(), 3) : "";
    }
    void expect_refused(const Asked& asked, const std::string& fields, const std::string& body) {
        EXPECT_EQ(status_of(head(asked.method, asked.target, fields) + body), "400")
            << asked.method << " " << asked.target << " " << fields << body;
        EXPECT_EQ(all(), before_) << asked.method << " " << asked.target << " " << fields;
    }
    [[nodiscard]] const std::string& before() const { return before_; }

  private:
    std::string before_;
};

TEST_F(WholeRequestsTest, NothingIsDoneForABodyThatDidNotArriveWhole) {
    for (const Asked& asked : kChanges) {
        expect_refused(asked, "Content-Length: 14\r\n", "");
        expect_refused(asked, "Content-Length: 3\r\n", "{}");
        expect_refused(asked, "Transfer-Encoding: chunked\r\n", "");
        expect_refused(asked, "Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n");
        expect_refused(asked, "Transfer-Encoding: chunked\r\n", "2\r\n{}\r\nx\r\n\r\n");
        expect_refused(asked, "Transfer-Encoding: chunked\r\n", "3\r\n{}\r\n0\r\n\r\n");
    }
}

// The client is gone before the rest came: nobody hears the answer.
TEST_F(WholeRequestsTest, NothingIsDoneForAClientWhoLeftInTheMiddle) {
    for (const Asked& asked : kChanges) {
        RawHttp connection(host->socket());
        EXPECT_TRUE(
            connection.send(head(asked.method, asked.target, "Content-Length: 14\r\n") + "{"));
        connection.hang_up();
    }
    EXPECT_EQ(all(), before());
}

// A tar that is cut between two of its entries looks as if it ended there.
TEST_F(WholeRequestsTest, NothingIsImportedOfAnArchiveThatWasCut) {
    const auto tar = kernel::read_file(host->directory() + "/tiny.tar", std::size_t{64} << 20);
    ASSERT_TRUE(tar);
    std::size_t end = tar->find_last_not_of('\0');
    ASSERT_NE(end, std::string::npos);
    end += 512 - end % 512; // the end of the last entry
    const std::string archive = tar->substr(0, end) + std::string(1024, '\0');
    const std::string size = std::to_string(archive.size());
    const auto import = [&](const std::string& fields, const std::string& body) {
        return status_of(head("POST", "/v1/templates/cut/import", fields) + body);
    };
    EXPECT_EQ(import("Content-Length: " + size + "\r\n", archive.substr(0, end)), "400");
    EXPECT_EQ(import("Content-Length: " + std::to_string(archive.size() + 1) + "\r\n", archive),
              "400")
        << "the archive's own end is not the body's";
    std::array<char, 32> chunk{};
    (void)std::snprintf(chunk.data(), chunk.size(), "%zx\r\n", archive.size());
    EXPECT_EQ(import("Transfer-Encoding: chunked\r\n", chunk.data() + archive + "\r\n"), "400");
    EXPECT_EQ(all(), before());
    EXPECT_EQ(import("Transfer-Encoding: chunked\r\n", chunk.data() + archive + "\r\n0\r\n\r\n"),
              "200");
}

TEST_F(WholeRequestsTest, NothingIsDoneForAParameterThatIsNotUnderstood) {
    const std::string create = R"({"name": "web2", "template": "tiny"})";
    const auto with_body = [](const std::string& body) {
        return "Content-Length: " + std::to_string(body.size()) + "\r\n";
    };
    const auto refused =
        [&](const char* method, const std::string& target, const std::string& body) {
            EXPECT_EQ(status_of(head(method, target, with_body(body)) + body), "400") << target;
            EXPECT_EQ(all(), before()) << method << " " << target;
        };
    refused("DELETE", "/v1/containers/idle?wait=bald", "");
    refused("DELETE", "/v1/containers/idle?force=maybe", "");
    refused("DELETE", "/v1/containers/idle?force=", "");
    refused("DELETE", "/v1/containers/idle?force=false&force=true", "");
    refused("DELETE", "/v1/containers/web1?force=true&colour=red", "");
    refused("DELETE", "/v1/templates/spare?wait=bald", "");
    refused("POST", "/v1/containers?wait=bald", create);
    refused("POST", "/v1/containers?start=true", create);
    refused("PATCH", "/v1/containers/web1?wait=", R"({"hostname": "other"})");
    for (const char* verb : {"start", "stop", "restart", "freeze", "kill"}) {
        const std::string name = std::string(verb) == "start" ? "idle" : "web1";
        refused("POST", "/v1/containers/" + name + "/" + verb + "?wait=bald", "");
        refused("POST", "/v1/containers/" + name + "/" + verb + "?timeout=1s", "");
    }
    refused("POST", "/v1/containers/idle/start", R"({"force": true})");
    refused("POST", "/v1/host/shutdown?wait=-1s", "");
    refused("POST", "/v1/host/check?repair=true", "");
    for (const char* target : {"/v1/containers",
                               "/v1/containers/web1",
                               "/v1/templates",
                               "/v1/template-definitions",
                               "/v1/operations",
                               "/v1/host",
                               "/v1/host/check",
                               "/v1/events",
                               "/v1/version"}) {
        EXPECT_EQ(status_of(head("GET", std::string(target) + "?colour=red", "")), "400") << target;
    }
}

class SlowClientsTest : public LodgeTest {
  protected:
    void SetUp() override {
        LodgeTest::SetUp();
        if (!HasFatalFailure() && !IsSkipped()) {
            ASSERT_EQ(host->lodge({"create", "idle", "--template", "tiny"}).code, 0);
        }
    }
    // More than there are threads to serve them.
    void expect_prompt_answers_among(const std::string& bytes) {
        std::vector<RawHttp> slow;
        for (int i = 0; i < 560; ++i) {
            ASSERT_TRUE(slow.emplace_back(host->socket()).send(bytes));
        }
        const Deadline prompt = Deadline::after(patience(2s));
        const CliResult list = host->lodge({"list"});
        EXPECT_EQ(list.code, 0) << list.err;
        const CliResult changed = host->lodge({"set", "idle", "--hostname", "other"});
        EXPECT_EQ(changed.code, 0) << changed.err;
        EXPECT_FALSE(prompt.expired()) << bytes;
    }
};

TEST_F(SlowClientsTest, HoldUpNobodyInTheirHeads) {
    expect_prompt_answers_among("GET /v1/cont");
}

TEST_F(SlowClientsTest, HoldUpNobodyInTheirBodies) {
    expect_prompt_answers_among(head("POST", "/v1/containers", "Content-Length: 500\r\n") + "{");
    expect_prompt_answers_among(head("POST", "/v1/containers", "Transfer-Encoding: chunked\r\n") +
                                "1\r\n{\r\n");
}

TEST_F(SlowClientsTest, HoldUpNobodyWhenTheyHaveTheirAnswer) {
    expect_prompt_answers_among(head("GET", "/v1/version", ""));
}

TEST_F(SlowClientsTest, HoldUpNobodyWhoAsksAmongArchivesThatDoNotCome) {
    expect_prompt_answers_among(
        head("POST", "/v1/templates/slow/import", "Content-Length: 9000000\r\n") + "x");
}

} // namespace

} // namespace lodge::test
