#include "lib/secret/secret_buffer.hpp"
#include "tests/support/requires.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include <crypt.h>
#include <sys/resource.h>
#include <unistd.h>

namespace lodge::secret {
namespace {

SecretBuffer buffer_of(std::string_view text) {
    return SecretBuffer::copy_of(std::as_bytes(std::span(text))).value();
}

TEST(Seal, OpensWithTheSameKeyAndAssociation) {
    const SecretBuffer key = SecretBuffer::random(kSealKeySize).value();
    const std::string sealed = seal(key, buffer_of("volume key"), "uuid-1").value();
    EXPECT_EQ(sealed.find("volume key"), std::string::npos);
    const SecretBuffer plain = open_sealed(key, sealed, "uuid-1").value();
    ASSERT_EQ(plain.size(), 10U);
    EXPECT_EQ(std::memcmp(plain.bytes().data(), "volume key", 10), 0);
}

TEST(Seal, FailsForAnotherKeyAssociationOrText) {
    const SecretBuffer key = SecretBuffer::random(kSealKeySize).value();
    const SecretBuffer other = SecretBuffer::random(kSealKeySize).value();
    std::string sealed = seal(key, buffer_of("volume key"), "uuid-1").value();
    EXPECT_EQ(open_sealed(other, sealed, "uuid-1").error().code(), ErrorCode::bad_key);
    EXPECT_EQ(open_sealed(key, sealed, "uuid-2").error().code(), ErrorCode::bad_key);
    sealed.back() = static_cast<char>(sealed.back() ^ 1);
    EXPECT_EQ(open_sealed(key, sealed, "uuid-1").error().code(), ErrorCode::bad_key);
    EXPECT_EQ(open_sealed(key, "short", "uuid-1").error().code(), ErrorCode::corrupt);
}

TEST(Seal, RefusesAKeyOfAnotherLength) {
    const SecretBuffer key = SecretBuffer::random(16).value();
    EXPECT_EQ(seal(key, buffer_of("x"), "").error().code(), ErrorCode::bad_key);
}

TEST(SecretBuffer, MovesAndLeavesNothingBehind) {
    SecretBuffer first = buffer_of("abc");
    const SecretBuffer second = std::move(first);
    EXPECT_TRUE(first.empty()); // NOLINT(bugprone-use-after-move): what the move left is the point
    EXPECT_EQ(second.size(), 3U);
}

TEST(SecretBufferDeathTest, IsRefusedRatherThanLeftUnlocked) {
    if (test::kSanitized) {
        GTEST_SKIP() << "a sanitizer stands in for mlock";
    }
    const auto ask_without_locked_memory = [] {
        const rlimit none{.rlim_cur = 0, .rlim_max = 0};
        // Root may lock whatever the limit says, so the child gives that up.
        if ((::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ||
            ::setrlimit(RLIMIT_MEMLOCK, &none) != 0) {
            ::_exit(1);
        }
        const auto buffer = SecretBuffer::allocate(32);
        ::_exit(!buffer && buffer.error().code() == ErrorCode::resource_exhausted ? 7 : 2);
    };
    EXPECT_EXIT(ask_without_locked_memory(), ::testing::ExitedWithCode(7), "");
}

TEST(PasswordHash, IsTakenFromOthersOnlyAsOneFieldOfShadow) {
    const std::string good = hash_password(buffer_of("correct horse")).value();
    EXPECT_TRUE(check_password_hash(good));
    for (const std::string& bad : {std::string(),
                                   std::string("correct horse"),
                                   std::string("$y$"),
                                   std::string("*"),
                                   good + ":0:0",
                                   good + "\nroot2::0",
                                   good + std::string(1, '\0'),
                                   good + std::string(400, 'a')}) {
        EXPECT_FALSE(check_password_hash(bad)) << bad;
    }
}

TEST(PasswordHash, IsYescryptAndVerifies) {
    const std::string hash = hash_password(buffer_of("correct horse")).value();
    EXPECT_EQ(hash.rfind("$y$", 0), 0U);
    crypt_data data{};
    EXPECT_EQ(std::string(crypt_r("correct horse", hash.c_str(), &data)), hash);
    EXPECT_NE(std::string(crypt_r("wrong", hash.c_str(), &data)), hash);
}

TEST(PasswordHash, RefusesWhatNobodyCouldType) {
    EXPECT_FALSE(hash_password(SecretBuffer()).has_value());
    EXPECT_FALSE(hash_password(buffer_of("two\nlines")).has_value());
    EXPECT_FALSE(hash_password(buffer_of(std::string(600, 'x'))).has_value());
}

TEST(Pseudonym, IsOfTheTextAndDoesNotTellIt) {
    const std::string text = "0e5c4a4e-2d4c-4f0a-9d0e-0c9b1f6a7d11";
    const std::string name = pseudonym_of(text);
    EXPECT_EQ(name.size(), 32U);
    EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), std::string::npos) << name;
    EXPECT_EQ(name, pseudonym_of(text)) << "names of kernel objects outlive the daemon";
    EXPECT_NE(name, pseudonym_of("0e5c4a4e-2d4c-4f0a-9d0e-0c9b1f6a7d12"));
    EXPECT_EQ(name.find("0e5c4a4e"), std::string::npos);
}

} // namespace
} // namespace lodge::secret
