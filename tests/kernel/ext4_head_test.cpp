// What is read ahead of a mount, by the words of debugfs(8) and mincore(2).
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "storage/ext4_head.hpp"
#include "storage/filesystem.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

namespace lodge::storage {
namespace {

using namespace std::chrono_literals;

class Ext4HeadTest : public ::testing::TestWithParam<off_t> {
  protected:
    void SetUp() override {
        auto opened = kernel::open_file(path_, O_RDWR | O_CREAT, 0600);
        ASSERT_TRUE(opened) << opened.error().to_string();
        image_ = std::move(*opened);
        ASSERT_EQ(::ftruncate(image_.get(), GetParam()), 0);
        ASSERT_TRUE(make_ext4(path_, Uuid::generate().value(), false));
        ASSERT_EQ(::fsync(image_.get()), 0);
        ASSERT_EQ(::posix_fadvise(image_.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
    }
    // debugfs' answer to a question with a block for an answer.
    std::uint64_t block_of(const std::string& request) const {
        const auto done =
            kernel::run_program({.path = "debugfs",
                                 .arguments = {"-D", "-R", request, path_}, // -D: not by the cache
                                 .deadline = Deadline::after(test::patience(20s))});
        EXPECT_TRUE(done) << done.error().to_string();
        return done ? std::stoull(done->standard_output) : 0;
    }
    bool is_cached(std::uint64_t block) const {
        const auto at = static_cast<off_t>(block * kExt4Block);
        void* const page = ::mmap(nullptr, kExt4Block, PROT_READ, MAP_SHARED, image_.get(), at);
        EXPECT_NE(page, MAP_FAILED);
        unsigned char resident = 0;
        EXPECT_EQ(::mincore(page, kExt4Block, &resident), 0);
        EXPECT_EQ(::munmap(page, kExt4Block), 0);
        return (resident & 1U) != 0;
    }
    // The kernel reads in the background and announces no end.
    bool comes_in(std::uint64_t block) const {
        const Deadline deadline = Deadline::after(test::patience(10s));
        while (!is_cached(block) && !deadline.expired()) {
            (void)::poll(nullptr, 0, 1);
        }
        return is_cached(block);
    }

    test::TempDir directory_;
    const std::string path_ = directory_.path() + "/image";
    UniqueFd image_;
};

TEST_P(Ext4HeadTest, ReadsAheadWhereTheRootDirectoryIs) {
    const std::uint64_t directory = block_of("blocks <2>");
    ASSERT_FALSE(is_cached(directory)) << "this test proves nothing here";
    const auto head = read_ext4_head(image_.get());
    ASSERT_TRUE(head) << head.error().to_string();
    EXPECT_EQ(head->magic, kExt4Magic);
    EXPECT_EQ(head->state, 1);
    read_ahead(image_.get(), *head);
    EXPECT_TRUE(comes_in(head->block_bitmap));
    EXPECT_TRUE(comes_in(head->inode_table));
    EXPECT_TRUE(comes_in(directory)) << directory;
}

TEST_P(Ext4HeadTest, TakesAnythingForAHead) {
    auto head = read_ext4_head(image_.get());
    ASSERT_TRUE(head) << head.error().to_string();
    head->blocks = head->group_inodes = head->inode_table = ~0U;
    head->inode_size = 0xffff;
    head->group_blocks = 1;
    read_ahead(image_.get(), *head);
    head->group_blocks = 0;
    read_ahead(image_.get(), *head);
    head->log_flex_bg = 0xff;
    read_ahead(image_.get(), *head);
    EXPECT_TRUE(read_ext4_head(image_.get()));
}

INSTANTIATE_TEST_SUITE_P(Sizes,
                         Ext4HeadTest,
                         ::testing::Values(off_t{64} << 20, off_t{512} << 20, off_t{20} << 30));

} // namespace
} // namespace lodge::storage
