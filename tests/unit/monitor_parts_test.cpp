#include "daemon/monitor/accounts.hpp"
#include "daemon/monitor/client.hpp"
#include "lib/kernel/process.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

namespace lodge::monitor {
namespace {

constexpr const char* kPasswd = "root:x:0:0:root:/root:/bin/bash\n"
                                "daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
                                "user:x:1000:1000:A User,,,:/home/user:\n";
constexpr const char* kGroup = "root:x:0:\nsudo:x:27:user\nuser:x:1000:\nusers:x:100:other,user\n";

TEST(Accounts, FindsAUserByNameWithItsGroups) {
    const auto account = find_account("user", kPasswd, kGroup);
    ASSERT_TRUE(account) << account.error().to_string();
    EXPECT_EQ(account->user, 1000U);
    EXPECT_EQ(account->home, "/home/user");
    EXPECT_EQ(account->shell, "/bin/sh") << "an empty field means it (man 5 passwd)";
    EXPECT_EQ(account->groups, (std::vector<gid_t>{1000, 27, 100}));
}

TEST(Accounts, FindsAUserByNumber) {
    const auto account = find_account("1", kPasswd, kGroup);
    ASSERT_TRUE(account);
    EXPECT_EQ(account->name, "daemon");
}

TEST(Accounts, TakesRootAndNumbersWithoutAnyFile) {
    for (const char* user : {"", "root", "0"}) {
        const auto account = find_account(user, "", "");
        ASSERT_TRUE(account) << user;
        EXPECT_EQ(account->user, 0U);
        EXPECT_EQ(account->home, "/root");
    }
    const auto account = find_account("4711", "", "");
    ASSERT_TRUE(account);
    EXPECT_EQ(account->user, 4711U);
    EXPECT_EQ(account->group, 4711U);
}

TEST(Accounts, RefusesUnknownUsersAndNumbersOutsideTheMap) {
    for (const char* user : {"nobody-here", "65536", "4294967295", "-1", "1 ", "0x0"}) {
        EXPECT_FALSE(find_account(user, kPasswd, kGroup)) << user;
    }
}

TEST(Accounts, PassesOverLinesThatAreNone) {
    const std::string passwd = std::string("\n:::\nuser\nuser:x:banana:0::/:/bin/sh\n"
                                           "user:x:99999999999999:0::/:\nuser:x:70000:0::/:\n") +
                               std::string("user:x:5:5::/\0etc:/bin/sh\n", 27) + kPasswd;
    const auto account =
        find_account("user", passwd, ":::user\nx:x:y:user\n" + std::string(kGroup));
    ASSERT_TRUE(account);
    EXPECT_EQ(account->user, 1000U);
    EXPECT_EQ(account->groups, (std::vector<gid_t>{1000, 27, 100}));
}

TEST(Accounts, BoundsTheGroupsOfAUser) {
    std::string group;
    for (int i = 0; i < 5000; ++i) {
        group += "g:x:" + std::to_string(i) + ":user\n";
    }
    const auto account = find_account("user", kPasswd, group);
    ASSERT_TRUE(account);
    EXPECT_LE(account->groups.size(), 256U);
}

// In pieces of every size, with lines longer than all that is remembered, for a file as for a text.
TEST(Accounts, ReadsFilesOfAnyLengthInPieces) {
    std::string members = "all:x:5:";
    for (int i = 0; i < 20'000; ++i) {
        members += "someone" + std::to_string(i) + ",";
    }
    const std::string group = members + "user\n" + std::string(100'000, 'x') + "\n" + kGroup;
    const std::string passwd =
        "long:x:1:1:" + std::string(3'000'000, 'c') + ":/:/bin/sh\n" + kPasswd;
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{16384}}) {
        const auto pieces = [size](std::string_view text) {
            return [text, size]() mutable -> Result<std::string_view> {
                const std::string_view piece = text.substr(0, size);
                text.remove_prefix(piece.size());
                return piece;
            };
        };
        const auto account = find_account("user", pieces(passwd), pieces(group));
        ASSERT_TRUE(account) << account.error().to_string();
        EXPECT_EQ(account->home, "/home/user");
        EXPECT_EQ(account->groups, (std::vector<gid_t>{1000, 5, 27, 100})) << size;
    }
    EXPECT_EQ(find_account("long", passwd, "")->user, 1U) << "a name of a person of any length";
}

TEST(Accounts, ARootNeedsNoFileThatCanBeRead) {
    const Pieces broken = []() -> Result<std::string_view> {
        return fail(ErrorCode::kernel, "it cannot be read");
    };
    for (const char* user : {"", "root", "0"}) {
        const auto root = find_account(user, broken, broken);
        ASSERT_TRUE(root) << user;
        EXPECT_EQ(root->groups, std::vector<gid_t>{0});
    }
    for (const char* user : {"user", "4711"}) {
        EXPECT_FALSE(find_account(user, broken, broken)) << user;
    }
}

TEST(ProcessStartTime, SurvivesAHostileCommandName) {
    std::string rest = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 424242 20 21\n";
    const auto start_time = kernel::parse_start_time("77 (a) R 1 1) " + rest.substr(1));
    ASSERT_TRUE(start_time) << start_time.error().to_string();
    EXPECT_EQ(*start_time, 424242U);
    EXPECT_FALSE(kernel::parse_start_time("77 (a) S 1 2 3"));
    EXPECT_FALSE(kernel::parse_start_time(""));
}

std::string status_with(const std::string& blocked, const std::string& caught) {
    return "Name:\t\\nSigCgt:\tffffffffffffffff\nSigPnd:\t0000000000000000\nSigBlk:\t" + blocked +
           "\nSigIgn:\tffffffffffffffff\nSigCgt:\t" + caught + "\nCapInh:\t0000000000000000\n";
}

TEST(HeedsSignal, WhenItIsCaughtOrBlocked) {
    const std::string none = "0000000000000000";
    const std::string power = "0000000020000000"; // SIGPWR is 30
    EXPECT_FALSE(kernel::parse_heeds(status_with(none, none), 30).value());
    EXPECT_TRUE(kernel::parse_heeds(status_with(power, none), 30).value());
    EXPECT_TRUE(kernel::parse_heeds(status_with(none, power), 30).value());
    EXPECT_FALSE(kernel::parse_heeds(status_with(power, power), 29).value());
    EXPECT_TRUE(kernel::parse_heeds(status_with(none, "8000000000000000"), 64).value());
    EXPECT_FALSE(kernel::parse_heeds("", 30));
    EXPECT_FALSE(kernel::parse_heeds("\nSigBlk:\t\nSigCgt:\t0\n", 30));
}

struct ClientTest : ::testing::Test {
    void SetUp() override {
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        peer = UniqueFd(ends[0]);
        client = std::make_unique<Client>(UniqueFd(ends[1]));
    }
    void write(const std::string& bytes) {
        ASSERT_EQ(::write(peer.get(), bytes.data(), bytes.size()),
                  static_cast<ssize_t>(bytes.size()));
    }
    bool receive() {
        return client->receive([this](const Client::Part& part) {
            seen += std::to_string(static_cast<unsigned>(part.type)) + ":" +
                    std::string(part.bytes) + ";";
        });
    }
    static std::string
    frame(session::FrameType type, const std::string& payload, std::uint32_t size) {
        const session::FrameHeader header{.type = type, .size = size};
        return std::string(reinterpret_cast<const char*>(&header), sizeof header) + payload;
    }
    UniqueFd peer;
    std::unique_ptr<Client> client;
    std::string seen;
};

TEST_F(ClientTest, PassesTerminalDataOnAsItComes) {
    write(frame(session::FrameType::terminal_data, "abc", 6));
    EXPECT_TRUE(receive());
    EXPECT_EQ(seen, "6:abc;");
    write("def" + frame(session::FrameType::terminal_data, "g", 1));
    EXPECT_TRUE(receive());
    EXPECT_EQ(seen, "6:abc;6:def;6:g;");
}

TEST_F(ClientTest, PutsFramesTogetherThatComeByteByByte) {
    for (const char byte : frame(session::FrameType::signal, "1234", 4)) {
        write(std::string(1, byte));
        ASSERT_TRUE(receive());
    }
    EXPECT_EQ(seen, "4:1234;");
}

TEST_F(ClientTest, RefusesFramesThatAreTooLong) {
    write(frame(session::FrameType::signal, "", 17));
    EXPECT_FALSE(receive());
}

TEST_F(ClientTest, RefusesTerminalDataThatIsTooLong) {
    write(frame(session::FrameType::terminal_data, "", session::kLargestPayload + 1));
    EXPECT_FALSE(receive());
}

TEST_F(ClientTest, NoticesThatThePeerHasGone) {
    peer.reset();
    EXPECT_FALSE(receive());
}

TEST_F(ClientTest, DropsAPeerThatDoesNotRead) {
    const std::string much(16384, 'x');
    bool alive = true;
    for (int i = 0; i < 1000 && alive; ++i) {
        alive = client->send(session::FrameType::terminal_data, much);
    }
    EXPECT_FALSE(alive);
}

} // namespace
} // namespace lodge::monitor
