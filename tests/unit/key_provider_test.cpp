#include "storage/key_provider.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace lodge::storage {
namespace {

class FileKeyProviderTest : public ::testing::Test {
  protected:
    ErrorCode refusal() const {
        const auto key = make_file_key_provider(path_)->master_key();
        return key ? ErrorCode{} : key.error().code();
    }

    test::TempDir directory_;
    std::string path_ = directory_.path() + "/master.key";
};

bool same(const secret::SecretBuffer& left, const secret::SecretBuffer& right) {
    return std::ranges::equal(left.bytes(), right.bytes());
}

TEST_F(FileKeyProviderTest, MakesAKeyThatOnlyItsOwnerReadsAndKeepsIt) {
    const auto made = make_file_key_provider(path_)->master_key();
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(made->size(), 32U);
    struct stat info{};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U);
    EXPECT_EQ(info.st_size, 32);
    const auto read = make_file_key_provider(path_)->master_key();
    ASSERT_TRUE(read);
    EXPECT_TRUE(same(*made, *read));
    const test::TempDir elsewhere;
    const auto other = make_file_key_provider(elsewhere.path() + "/master.key")->master_key();
    ASSERT_TRUE(other);
    EXPECT_FALSE(same(*made, *other)) << "every host has a key of its own";
}

TEST_F(FileKeyProviderTest, GivesOneKeyToAllWhoAskFirst) {
    constexpr int kAskers = 8;
    std::vector<secret::SecretBuffer> keys(kAskers);
    {
        std::vector<std::jthread> askers;
        for (secret::SecretBuffer& key : keys) {
            askers.emplace_back([&key, this] { // each as a daemon of its own
                key = make_file_key_provider(path_)->master_key().value();
            });
        }
    }
    for (const secret::SecretBuffer& key : keys) {
        EXPECT_TRUE(same(key, keys.front()));
    }
}

TEST_F(FileKeyProviderTest, RefusesAKeyThatOthersMayRead) {
    ASSERT_TRUE(make_file_key_provider(path_)->master_key());
    ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
    EXPECT_EQ(refusal(), ErrorCode::permission_denied);
}

TEST_F(FileKeyProviderTest, RefusesASymlinkAndADirectory) {
    const std::string real = directory_.path() + "/real";
    ASSERT_TRUE(make_file_key_provider(real)->master_key());
    ASSERT_EQ(::symlink(real.c_str(), path_.c_str()), 0);
    EXPECT_EQ(refusal(), ErrorCode::permission_denied);
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
    EXPECT_EQ(refusal(), ErrorCode::permission_denied);
}

TEST_F(FileKeyProviderTest, CallsAShortKeyCorruptAndNeverReplacesIt) {
    ASSERT_TRUE(make_file_key_provider(path_)->master_key());
    ASSERT_EQ(::truncate(path_.c_str(), 31), 0);
    EXPECT_EQ(refusal(), ErrorCode::corrupt);
    struct stat info{};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 31);
}

} // namespace
} // namespace lodge::storage
