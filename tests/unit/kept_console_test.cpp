#include "daemon/containers/kept_console.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <string>

#include <sys/stat.h>

namespace lodge::daemon {
namespace {

const Uuid kOwner = Uuid::parse("0123e456-89ab-4def-8123-456789abcdef").value();
constexpr std::size_t kBound = 65536;

std::string trailer(const std::string& time, const std::string& ended) {
    return "--- init, started at 1970-01-01T00:00:" + time + "Z, ended: " + ended + " ---\n";
}

class KeptConsole : public ::testing::Test {
  protected:
    void keep(const std::string& log, std::int64_t started_at, const std::string& ended) {
        const Status kept = keep_console(
            run_.path(), kOwner, {.log = log, .started_at = started_at, .ended = ended});
        ASSERT_TRUE(kept) << kept.error().to_string();
    }
    std::string kept() { return kept_console(run_.path(), kOwner).value(); }

    test::TempDir run_;
};

TEST_F(KeptConsole, HoldsEachLifeOnceAndHowItEnded) {
    EXPECT_EQ(kept(), "");
    EXPECT_TRUE(list_kept_consoles(run_.path()).value().empty());
    EXPECT_TRUE(forget_console(run_.path(), kOwner));
    keep("no such file", 1, "exit 1");
    keep("no such file", 1, "exit 1"); // by a daemon that came after one that died
    keep("no such file\n", 2, "exit 1");
    keep("", 3, "signal 9");
    EXPECT_EQ(kept(),
              "no such file\n" + trailer("01", "exit 1") + "no such file\n" +
                  trailer("02", "exit 1"));
    struct stat info{};
    ASSERT_EQ(::stat((run_.path() + "/consoles/" + kOwner.to_string()).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    EXPECT_EQ(list_kept_consoles(run_.path()).value(), std::vector{kOwner});
    EXPECT_TRUE(forget_console(run_.path(), kOwner));
    EXPECT_EQ(kept(), "");
    EXPECT_TRUE(list_kept_consoles(run_.path()).value().empty());
}

TEST_F(KeptConsole, IsBoundedAndHasTheLastLines) {
    for (int life = 10; life < 30; ++life) {
        std::string log;
        for (int line = 0; line < 500; ++line) {
            log += "life " + std::to_string(life) + ", line " + std::to_string(line) + "\n";
        }
        keep(log, life, "halt");
        keep(log, life, "halt");
    }
    const std::string text = kept();
    EXPECT_LE(text.size(), kBound);
    EXPECT_GT(text.size(), kBound - 100);
    EXPECT_EQ(text.rfind("life ", 0), 0U) << "a whole line: " << text.substr(0, 30);
    EXPECT_TRUE(text.ends_with("life 29, line 499\n" + trailer("29", "halt")));
    // One that is larger than all that is kept, without a line's end.
    keep(std::string(kBound, 'x'), 31, "halt");
    keep(std::string(kBound, 'x'), 31, "halt");
    EXPECT_LE(kept().size(), kBound);
    EXPECT_TRUE(kept().ends_with("xx\n" + trailer("31", "halt")));
}

TEST_F(KeptConsole, IsFollowedByTheLivingOneUnlessThatIsKeptAlready) {
    EXPECT_EQ(joined_consoles("one\n--- ---\n", "two\n"), "one\n--- ---\ntwo\n");
    EXPECT_EQ(joined_consoles("one\n--- ---\n", "one\n"), "one\n--- ---\n");
    EXPECT_EQ(joined_consoles("one\n", ""), "one\n");
    EXPECT_EQ(joined_consoles("", "two\n"), "two\n");
}

} // namespace
} // namespace lodge::daemon
