#include "lib/api/json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lodge::api {

namespace {

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
    const model::SpecChange sent{.memory_bytes = std::optional<std::uint64_t>(),
                                 .pids = std::optional<std::uint32_t>(40),
                                 .hostname = "web1"};
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

} // namespace

} // namespace lodge::api
