#include "lib/api/client.hpp"
#include "lib/api/json.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace lodge::api {

namespace {

TEST(ApiText, HoldsNothingThatATerminalObeys) {
    const nlohmann::json hostile{
        {"\u0085key\x7f", "\x1b[2J \u009b2J\u0080\u009f \u00a0h\u00f6flich\xc2"}};
    EXPECT_EQ(to_text(hostile),
              "{\"\\u0085key\\u007f\":\"\\u001b[2J "
              "\\u009b2J\\u0080\\u009f \u00a0h\u00f6flich\ufffd\"}");
    const auto read = nlohmann::json::parse(to_text(hostile, 2));
    EXPECT_EQ(read.value("\u0085key\x7f", "").rfind("\x1b[2J \u009b2J\u0080\u009f \u00a0h", 0), 0U)
        << "the same value, whatever way it is written";
}

TEST(ApiText, IsIndentedAsAnyOther) {
    const nlohmann::json hard{
        {"empty", {nlohmann::json::array(), nlohmann::json::object(), ""}},
        {"text", "\"quoted\", \\ [1, 2] {3: 4}\\\n"},
        {"nested", {{{"a", {1, -2, 3.5, nullptr, true}}}, nlohmann::json::array({{{"b", "\\"}}})}},
    };
    for (const nlohmann::json& value : {hard,
                                        nlohmann::json::array(),
                                        nlohmann::json("x"),
                                        nlohmann::json::array({hard, hard})}) {
        EXPECT_EQ(indented(to_text(value), 2), to_text(value, 2));
        EXPECT_EQ(indented(to_text(value), 4), to_text(value, 4));
    }
    EXPECT_EQ(indented("]}\"\\", 2), "\n]\n}\"\\") << "no JSON, and no harm";
}

TEST(ApiBytes, AreATextWhereTheyAreOneAndShort) {
    const std::string plain = "h\u00f6flich \"\n";
    EXPECT_EQ(to_json_bytes(plain), nlohmann::json(plain));
    EXPECT_EQ(to_json_bytes("\xff"), (nlohmann::json{{"base64", "/w=="}}));
    const std::string controls(1000, '\1'); // six bytes each as a text
    EXPECT_LT(to_text(to_json_bytes(controls)).size(), 1400U);
    for (const std::string& bytes : {plain, std::string(), std::string("\xff"), controls}) {
        EXPECT_EQ(bytes_from_json(nlohmann::json::parse(to_json_bytes(bytes).dump())), bytes);
    }
    using nlohmann::json;
    for (const json& other : {json(7),
                              json(nullptr),
                              json::array(),
                              json::object(),
                              json{{"base64", 7}},
                              json{{"base64", "/w"}},
                              json{{"base64", "/w=="}, {"more", ""}},
                              json{{"base32", "/w=="}}}) {
        EXPECT_EQ(bytes_from_json(other).error().code(), ErrorCode::invalid_argument) << other;
    }
}

TEST(ApiObject, HasNoMoreValuesThanTheKernelTakesWords) {
    std::string body = R"({"argv":[0)";
    for (int i = 0; i < (1 << 18); ++i) {
        body += ",0";
    }
    EXPECT_EQ(parse_object(body + "]}").error().code(), ErrorCode::resource_exhausted);
    EXPECT_EQ(parse_object(R"({"argv":[0,0]})").value()["argv"].size(), 2U);
}

TEST(ApiError, ArrivesWithEverythingItLeftWith) {
    const Error sent = Error(ErrorCode::no_space, "the host's filesystem has no space for an image")
                           .with_errno(28)
                           .context("make the volume")
                           .context("create 'web1'");
    const Error got = error_from_json(to_json(sent).dump());
    EXPECT_EQ(got.code(), ErrorCode::no_space);
    EXPECT_EQ(got.sys_errno(), 28);
    EXPECT_EQ(got.to_string(), sent.to_string());
    EXPECT_EQ(got.message(), sent.message());
}

TEST(ApiError, IsToldWhenTheAnswerIsNoneOfTheApi) {
    for (const char* text : {"", "null", "[]", "<html>", R"({"error": 7})"}) {
        EXPECT_EQ(error_from_json(text).code(), ErrorCode::internal) << text;
        EXPECT_FALSE(error_from_json(text).message().empty()) << text;
    }
}

TEST(ApiChange, TellsALimitTakenAwayFromOneLeftAlone) {
    const model::SpecChange sent{
        {"memory_bytes", {}}, {"pids", std::uint64_t{40}}, {"hostname", "web1"}};
    EXPECT_EQ(to_json(sent).dump(), R"({"hostname":"web1","memory_bytes":null,"pids":40})");
    EXPECT_EQ(change_from_json(to_json(sent)).value(), sent);
    EXPECT_EQ(change_from_json(nlohmann::json::object()).value(), model::SpecChange{});
}

TEST(ApiChange, RefusesWhatItDoesNotKnow) {
    for (const char* text : {R"({"memory_bytes": "1G"})",
                             R"({"pids": -1})",
                             R"({"cpu_millis": 4294967296})",
                             R"({"hostname": null})",
                             R"({"disk_bytes": 1})"}) {
        const auto change = change_from_json(nlohmann::json::parse(text));
        ASSERT_FALSE(change) << text;
        EXPECT_EQ(change.error().code(), ErrorCode::invalid_argument) << text;
    }
}

// A daemon that dies before it takes the connection, while or after the request is sent.
template <typename Ask>
void expect_broken_off(const Ask& ask) {
    const test::TempDir directory;
    const std::string path = directory.path() + "/socket";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(&address.sun_path[0], sizeof address.sun_path - 1);
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    const std::jthread daemon([&] {
        pollfd connection{.fd = listener.get(), .events = POLLIN, .revents = 0};
        (void)::poll(&connection, 1, -1);
        listener.reset();
    });
    const auto answer = ask(Client(path));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::internal) << answer.error().to_string();
}

// The kernel tells the client of a reset or of a broken pipe: exit code 1 all the same.
TEST(ApiClient, TellsThatADaemonBrokeOff) {
    const std::string large(std::size_t{4} << 20, ' '); // more than a socket takes at once
    for (int i = 0; i < 20; ++i) {
        expect_broken_off(
            [](const Client& client) { return client.call("GET", "/v1/containers"); });
        expect_broken_off([&](const Client& client) { return client.call("POST", "/", large); });
        expect_broken_off([&](const Client& client) { return client.upgrade("/", large); });
        expect_broken_off([](const Client& client) {
            return client.stream("/v1/events", [](const std::string&) { return true; });
        });
        expect_broken_off([&](const Client& client) {
            std::istringstream content(large);
            return client.upload("/v1/templates/one", content);
        });
    }
}

} // namespace

} // namespace lodge::api
