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

} // namespace

} // namespace lodge::api
