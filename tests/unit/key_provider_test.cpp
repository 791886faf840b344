#include "storage/key_file.hpp"
#include "storage/key_provider.hpp"
#include "storage/sealed_key.hpp"
#include "tests/contract/keys.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace lodge::storage {
namespace {

bool same(const secret::SecretBuffer& left, const secret::SecretBuffer& right) {
    return std::ranges::equal(left.bytes(), right.bytes());
}

class KeyFileTest : public ::testing::Test {
  protected:
    ErrorCode refusal() const {
        const auto key = read_key_file(file_);
        return key ? ErrorCode{} : key.error().code();
    }
    std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(directory_.path()), {}));
    }

    test::TempDir directory_;
    std::string path_ = directory_.path() + "/master.key";
    KeyFile file_{.path = path_, .what = "the master key"};
};

TEST_F(KeyFileTest, IsMadeOnceForItsOwnerAlone) {
    EXPECT_EQ(refusal(), ErrorCode::not_found);
    ASSERT_TRUE(make_key_file(file_));
    const auto made = read_key_file(file_);
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(made->size(), 32U);
    struct stat info{};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U);
    EXPECT_EQ(info.st_size, 32);
    ASSERT_TRUE(make_key_file(file_));
    const auto read = read_key_file(file_);
    ASSERT_TRUE(read);
    EXPECT_TRUE(same(*made, *read)) << "an existing key stays";
    EXPECT_EQ(files(), 1U);
    const KeyFile elsewhere{.path = directory_.path() + "/other.key", .what = "another"};
    ASSERT_TRUE(make_key_file(elsewhere));
    EXPECT_FALSE(same(*made, *read_key_file(elsewhere))) << "every key is another";
}

TEST_F(KeyFileTest, IsOneForAllWhoMakeItAtTheSameTime) {
    constexpr int kMakers = 8;
    std::vector<secret::SecretBuffer> keys(kMakers);
    {
        std::vector<std::jthread> makers;
        for (secret::SecretBuffer& key : keys) {
            makers.emplace_back([&key, this] { // each as a daemon of its own
                EXPECT_TRUE(make_key_file(file_));
                key = read_key_file(file_).value();
            });
        }
    }
    for (const secret::SecretBuffer& key : keys) {
        EXPECT_TRUE(same(key, keys.front()));
    }
}

TEST_F(KeyFileTest, IsRefusedWhenOthersMayReadIt) {
    ASSERT_TRUE(make_key_file(file_));
    ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
    EXPECT_EQ(refusal(), ErrorCode::permission_denied);
}

TEST_F(KeyFileTest, IsRefusedAsASymlinkOrADirectory) {
    const std::string real = directory_.path() + "/real";
    ASSERT_TRUE(make_key_file({.path = real, .what = "the real key"}));
    ASSERT_EQ(::symlink(real.c_str(), path_.c_str()), 0);
    EXPECT_EQ(refusal(), ErrorCode::permission_denied);
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
    EXPECT_EQ(refusal(), ErrorCode::permission_denied);
}

TEST_F(KeyFileTest, IsCorruptWhenShortAndNeverReplaced) {
    ASSERT_TRUE(make_key_file(file_));
    ASSERT_EQ(::truncate(path_.c_str(), 31), 0);
    EXPECT_EQ(refusal(), ErrorCode::corrupt);
    ASSERT_TRUE(make_key_file(file_));
    struct stat info{};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 31);
}

class FileKeys : public ::testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(keys_->prepare()); }
    KeyProvider& keys() { return *keys_; }

    test::TempDir directory_;
    std::string path_ = directory_.path() + "/master.key";
    std::unique_ptr<KeyProvider> keys_ = make_file_key_provider(path_);
};

using FileKeyProviderTest = FileKeys;

TEST_F(FileKeyProviderTest, MakesNoMasterKeyInPlaceOfALostOne) {
    const KeyContext context{.container = Uuid::generate().value(), .volume = {}, .slot = 0};
    const secret::SecretBuffer key = secret::SecretBuffer::random(64).value();
    const auto sealed = keys_->wrap(context, key);
    ASSERT_TRUE(sealed);
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    EXPECT_EQ(keys_->ready().error().code(), ErrorCode::not_found);
    EXPECT_EQ(keys_->wrap(context, key).error().code(), ErrorCode::not_found);
    EXPECT_EQ(keys_->unwrap(context, *sealed).error().code(), ErrorCode::not_found);
    EXPECT_NE(::access(path_.c_str(), F_OK), 0) << "it would hide the loss";
    ASSERT_TRUE(keys_->prepare());
    EXPECT_EQ(keys_->unwrap(context, *sealed).error().code(), ErrorCode::bad_key)
        << "another master key";
}

TEST_F(FileKeyProviderTest, NamesAKeyOfAnotherProvider) {
    const KeyContext context{.container = Uuid::generate().value(), .volume = {}, .slot = 0};
    const secret::SecretBuffer master = read_key_file({.path = path_, .what = "it"}).value();
    const secret::SecretBuffer key = secret::SecretBuffer::random(64).value();
    const auto sealed = wrap_with({.key = master, .provider = "vault"}, context, key);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(keys_->unwrap(context, *sealed).error().code(), ErrorCode::unsupported);
    const auto own = wrap_with({.key = master, .provider = "file"}, context, key);
    ASSERT_TRUE(own);
    EXPECT_TRUE(keys_->unwrap(context, *own));
}

} // namespace
} // namespace lodge::storage

namespace lodge::test {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(File, KeyContract, storage::FileKeys);

} // namespace
} // namespace lodge::test
