#include "lib/base/units.hpp"

#include <gtest/gtest.h>

namespace lodge {
namespace {

TEST(ParseSize, TakesDigitsWithABinaryUnit) {
    EXPECT_EQ(parse_size("512M").value(), std::uint64_t{512} << 20);
    EXPECT_EQ(parse_size("2G").value(), std::uint64_t{2} << 30);
    EXPECT_EQ(parse_size("2GiB").value(), std::uint64_t{2} << 30);
    EXPECT_EQ(parse_size("4096").value(), 4096U);
    EXPECT_EQ(parse_size("1.5G").value(), std::uint64_t{1536} << 20);
    EXPECT_EQ(parse_size("0.5KiB").value(), 512U);
    EXPECT_EQ(parse_size("0.001K").value(), 1U) << "whole bytes";
}

TEST(ParseSize, RefusesWhatIsNoSize) {
    for (const char* text : {"",
                             "-1",
                             "12Q",
                             "1.5",
                             "1.G",
                             ".5G",
                             "1.2345G",
                             "0.0G",
                             "0",
                             "G",
                             "99999999999999999999",
                             "9000000T",
                             "1 G"}) {
        const auto result = parse_size(text);
        ASSERT_FALSE(result.has_value()) << text;
        EXPECT_EQ(result.error().code(), ErrorCode::invalid_argument) << text;
    }
}

TEST(FormatSize, IsTakenBackByParseSize) {
    for (const std::uint64_t bytes : {1ULL, 1023ULL, 1024ULL, 1536ULL, 1ULL << 30, 3ULL << 40}) {
        EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
    }
}

TEST(ParseCpus, TakesThousandths) {
    EXPECT_EQ(parse_cpus("2").value(), 2000U);
    EXPECT_EQ(parse_cpus("1.5").value(), 1500U);
    EXPECT_EQ(parse_cpus("0.125").value(), 125U);
    for (const char* text : {"", "0", "-1", "1.", "1.2345", ".5", "1e3", "9000"}) {
        EXPECT_FALSE(parse_cpus(text).has_value()) << text;
    }
}

TEST(FormatCpus, IsShortAndExact) {
    EXPECT_EQ(format_cpus(1500), "1.5");
    EXPECT_EQ(format_cpus(2000), "2");
    EXPECT_EQ(format_cpus(125), "0.125");
}

TEST(ParseDuration, KnowsItsUnits) {
    EXPECT_EQ(parse_duration_ms("500ms").value(), 500);
    EXPECT_EQ(parse_duration_ms("30").value(), 30'000);
    EXPECT_EQ(parse_duration_ms("5m").value(), 300'000);
    EXPECT_FALSE(parse_duration_ms("5d").has_value());
    EXPECT_FALSE(parse_duration_ms("-5s").has_value());
}

} // namespace
} // namespace lodge
