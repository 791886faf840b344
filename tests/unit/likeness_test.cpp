#include "lib/base/likeness.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lodge {
namespace {

TEST(EditDistance, CountsLettersThatAreWrong) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("start", "start"), 0U);
    EXPECT_EQ(edit_distance("strat", "start"), 1U) << "swapped";
    EXPECT_EQ(edit_distance("sart", "start"), 1U);
    EXPECT_EQ(edit_distance("sttart", "start"), 1U);
    EXPECT_EQ(edit_distance("steart", "start"), 1U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
}

TEST(DidYouMean, OffersWhatIsNearAndNothingElse) {
    const std::vector<std::string> verbs{"start", "stop", "restart", "list", "known-hosts"};
    const auto meant = [&](const std::string& word) { return std::string(nearest(word, verbs)); };
    EXPECT_EQ(meant("strat"), "start");
    EXPECT_EQ(meant("sotp"), "stop");
    EXPECT_EQ(meant("lsit"), "list");
    EXPECT_EQ(meant("known_host"), "known-hosts");
    EXPECT_EQ(meant("known"), "known-hosts") << "nothing else begins so";
    EXPECT_EQ(meant("rest"), "restart");
    EXPECT_EQ(meant("purge"), "");
    EXPECT_EQ(meant("x"), "");
    EXPECT_EQ(meant(""), "");
    EXPECT_EQ(meant(std::string(100000, 's')), "");
    EXPECT_EQ(did_you_mean("strat", verbs), "; did you mean 'start'?");
    EXPECT_EQ(did_you_mean("purge", verbs), "");
    EXPECT_EQ(did_you_mean("a", std::vector<std::string>{"b"}), "") << "all of it would be wrong";
}

} // namespace
} // namespace lodge
