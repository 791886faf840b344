#include "lib/base/base64.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/printable.hpp"
#include "lib/base/revert.hpp"
#include "lib/base/standard_streams.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/base/utf8.hpp"
#include "lib/base/uuid.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge {
namespace {

TEST(Error, TellsTheWayFromTheIntentToTheCause) {
    const auto failing = []() -> Status {
        errno = ENOSPC;
        return fail_errno("write", "volume.img");
    };
    const auto outer = [&]() -> Status {
        return with_context(with_context(failing(), "make the volume"), "create 'web1'");
    };
    const Error error = outer().error();
    EXPECT_EQ(error.code(), ErrorCode::no_space);
    EXPECT_EQ(error.sys_errno(), ENOSPC);
    EXPECT_EQ(error.to_string(),
              "create 'web1': make the volume: write 'volume.img': No space left on device");
}

TEST(Utf8, IsWhatRfc3629Has) {
    for (const char* text :
         {"", "plain\n\x7f", "h\u00f6flich \u20ac \U0001f600 \U0010ffff \u0080"}) {
        EXPECT_TRUE(is_utf8(text)) << text;
    }
    for (const char* bytes : {"\xff",
                              "a\x80",
                              "\xc3",         // cut off
                              "\xc0\xaf",     // overlong
                              "\xe0\x80\xaf", // overlong
                              "\xed\xa0\x80", // half a surrogate pair
                              "\xf4\x90\x80\x80",
                              "\xf0\x9f\x98"}) {
        EXPECT_FALSE(is_utf8(bytes)) << printable(bytes);
    }
}

TEST(Base64, TakesWhatItWritesAndNothingElse) {
    // RFC 4648, section 10.
    for (const auto& [bytes, text] : {std::pair<const char*, const char*>{"", ""},
                                      {"f", "Zg=="},
                                      {"fo", "Zm8="},
                                      {"foo", "Zm9v"},
                                      {"foobar", "Zm9vYmFy"},
                                      {"\xff\xfe\xfb", "//77"}}) {
        EXPECT_EQ(encode_base64(bytes), text);
        EXPECT_EQ(decode_base64(text), bytes);
    }
    for (const char* text :
         {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", " Zg==", "Zm-_", "=g=="}) {
        EXPECT_FALSE(decode_base64(text)) << text;
    }
}

TEST(Printable, ShowsNothingThatATerminalObeys) {
    EXPECT_EQ(printable("plain, h\u00f6flich \u20ac \U0001f600"),
              "plain, h\u00f6flich \u20ac \U0001f600");
    EXPECT_EQ(printable("\x1b]52;c;x\x07 a\x7f\n"), "?]52;c;x? a??");
    EXPECT_EQ(printable("two\nlines\r", "\n"), "two\nlines?");
    EXPECT_EQ(printable("\u009b2J"),
              "?"
              "?2J")
        << "C1 in UTF-8";
    EXPECT_EQ(printable("\x9b"
                        "2J"),
              "?2J")
        << "C1 by itself";
    EXPECT_EQ(printable("\xc0\x80 \xe0\x80\x9b \xed\xa0\x80 \xf4\x90\x80\x80"), "?? ??? ??? ????")
        << "overlong, surrogates, beyond Unicode";
    EXPECT_EQ(printable("cut \xe2\x82"), "cut ??");
}

TEST(ErrorCode, GoesOverTheWireAndBack) {
    std::set<std::string_view> names;
    for (int number = 1; number <= 15; ++number) {
        const auto code = static_cast<ErrorCode>(number);
        EXPECT_EQ(error_code_from_string(to_string(code)), code) << number;
        names.insert(to_string(code));
    }
    EXPECT_EQ(names.size(), 15U);
    EXPECT_EQ(error_code_from_string("of a later release"), ErrorCode::internal);
}

// A file that is missing somewhere below is not the container that was asked for.
TEST(ErrorCode, OfAnErrnoIsNeverAboutWhatWasAskedFor) {
    const std::set<ErrorCode> kOfTheHost{ErrorCode::kernel,
                                         ErrorCode::no_space,
                                         ErrorCode::resource_exhausted,
                                         ErrorCode::unsupported,
                                         ErrorCode::timeout};
    for (int number = 0; number <= 4096; ++number) {
        EXPECT_TRUE(kOfTheHost.contains(error_code_from_errno(number))) << number;
    }
}

TEST(ErrorCode, FollowsFromErrno) {
    EXPECT_EQ(error_code_from_errno(ENOMEM), ErrorCode::resource_exhausted);
    EXPECT_EQ(error_code_from_errno(ENOSPC), ErrorCode::no_space);
    EXPECT_EQ(error_code_from_errno(ENOSYS), ErrorCode::unsupported);
    EXPECT_EQ(error_code_from_errno(EIO), ErrorCode::kernel);
}

TEST(Macros, PassTheErrorOnAndTheValueOut) {
    const auto half = [](int number) -> Result<int> {
        if (number % 2 != 0) {
            return fail(ErrorCode::invalid_argument, "odd");
        }
        return number / 2;
    };
    const auto quarter = [&](int number) -> Result<int> {
        ASSIGN_OR_RETURN(const int first, half(number));
        RETURN_IF_ERROR(half(first));
        return half(first);
    };
    EXPECT_EQ(quarter(12).value(), 3);
    EXPECT_EQ(quarter(3).error().message(), "odd");
    EXPECT_EQ(quarter(6).error().message(), "odd");
}

TEST(Revert, UndoesInReverseOrderUnlessCommitted) {
    std::string undone;
    {
        Revert revert;
        revert.add([&] { undone += 'a'; });
        revert.add([&] { undone += 'b'; });
        const Revert moved = std::move(revert);
        EXPECT_EQ(undone, "");
    }
    EXPECT_EQ(undone, "ba");
    {
        Revert revert;
        revert.add([&] { undone += 'c'; });
        revert.commit();
    }
    EXPECT_EQ(undone, "ba");
}

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(UniqueFd, ClosesOnceAndKeepsErrno) {
    int number = -1;
    {
        UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        number = first.get();
        UniqueFd second = std::move(first);
        EXPECT_FALSE(first.valid()); // NOLINT(bugprone-use-after-move): what it leaves is the point
        EXPECT_TRUE(is_open(number));
        errno = ENOTTY;
    }
    EXPECT_EQ(errno, ENOTTY);
    EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, DuplicatesWithCloseOnExec) {
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const UniqueFd copy = null.duplicate().value();
    EXPECT_NE(copy.get(), null.get());
    EXPECT_EQ(::fcntl(copy.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(UniqueFd().duplicate().error().sys_errno(), EBADF);
}

TEST(UniqueFd, TellsWhatCloseSaid) {
    UniqueFd stale(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::close(stale.get()), 0);
    EXPECT_EQ(stale.close().error().sys_errno(), EBADF);
    EXPECT_TRUE(stale.close().has_value()); // nothing is owned any more
}

TEST(Uuid, HasOneSpelling) {
    const std::string text = "0f8fad5b-d9cb-469f-a165-70867728950e";
    EXPECT_EQ(Uuid::parse(text).value().to_string(), text);
    EXPECT_EQ(Uuid::parse(text).value().short_hex(8), "0f8fad5b");
    for (const char* wrong : {"",
                              "0F8FAD5B-D9CB-469F-A165-70867728950E",
                              "0f8fad5bd9cb469fa16570867728950e",
                              "0f8fad5b-d9cb-469f-a165-70867728950",
                              "0f8fad5b-d9cb-469f-a165+70867728950e",
                              "0f8fad5b-d9cb-469f-a165-70867728950g"}) {
        EXPECT_FALSE(Uuid::parse(wrong).has_value()) << wrong;
    }
}

TEST(Uuid, IsRandomOfVersionFour) {
    const std::string first = Uuid::generate().value().to_string();
    EXPECT_NE(first, Uuid::generate().value().to_string());
    EXPECT_EQ(first[14], '4');
    EXPECT_NE(std::string("89ab").find(first[19]), std::string::npos);
}

TEST(Deadline, CountsDownToZero) {
    EXPECT_EQ(Deadline::never().poll_timeout(), -1);
    EXPECT_FALSE(Deadline::never().expired());
    const Deadline past = Deadline::after(std::chrono::seconds(-1));
    EXPECT_TRUE(past.expired());
    EXPECT_EQ(past.poll_timeout(), 0);
    const int left = Deadline::after(std::chrono::seconds(5)).poll_timeout();
    EXPECT_GT(left, 4000);
    EXPECT_LE(left, 5000);
}

// Whether descriptors 0 to 2 are open after those of the bits in `closed` were closed, the next one
// is not among them, and what was closed is the null device.
bool fills(unsigned closed) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (int fd = 0; fd < 3; ++fd) {
            if ((closed >> fd & 1U) != 0) {
                (void)::close(fd);
            }
        }
        bool good = fill_standard_streams().has_value();
        struct stat null{};
        struct stat info{};
        good = good && ::stat("/dev/null", &null) == 0;
        for (int fd = 0; fd < 3; ++fd) {
            good = good && ::fstat(fd, &info) == 0 &&
                   ((closed >> fd & 1U) == 0 || info.st_rdev == null.st_rdev);
        }
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
}

TEST(StandardStreams, AreFilledWhereTheyAreClosed) {
    for (unsigned closed = 0; closed < 8; ++closed) {
        EXPECT_TRUE(fills(closed)) << closed;
    }
}

} // namespace
} // namespace lodge
