#include "storage/ext4_head.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

namespace lodge::storage {

namespace {

constexpr std::size_t kSuperblock = 1024;       // bytes from the beginning
constexpr std::size_t kDescriptor = kExt4Block; // of the first group: in the block after
constexpr std::size_t kDescriptorSize = 32;     // as far as read here
using Bytes = std::array<char, kDescriptor + kDescriptorSize>;

std::uint16_t le16_at(const Bytes& bytes, std::size_t at) {
    std::uint16_t value = 0;
    std::memcpy(&value, &bytes.at(at), sizeof value);
    return le16toh(value);
}

std::uint32_t le32_at(const Bytes& bytes, std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, &bytes.at(at), sizeof value);
    return le32toh(value);
}

// The result is of no interest: the kernel reads now or later.
void want(int fd, std::uint64_t block, std::uint64_t blocks) {
    (void)::posix_fadvise(fd,
                          static_cast<off_t>(block * kExt4Block),
                          static_cast<off_t>(blocks * kExt4Block),
                          POSIX_FADV_WILLNEED);
}

} // namespace

Result<Ext4Head> read_ext4_head(int fd) {
    Bytes bytes{};
    if (::pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return fail_errno("read", "superblock");
    }
    return Ext4Head{.magic = le16_at(bytes, kSuperblock + 0x38),
                    .state = le16_at(bytes, kSuperblock + 0x3a),
                    .incompat = le32_at(bytes, kSuperblock + 0x60),
                    .blocks = le32_at(bytes, kSuperblock + 0x04),
                    .group_blocks = le32_at(bytes, kSuperblock + 0x20),
                    .group_inodes = le32_at(bytes, kSuperblock + 0x28),
                    .inode_size = le16_at(bytes, kSuperblock + 0x58),
                    .log_flex_bg = static_cast<std::uint8_t>(bytes.at(kSuperblock + 0x174)),
                    .block_bitmap = le32_at(bytes, kDescriptor),
                    .inode_table = le32_at(bytes, kDescriptor + 0x08)};
}

void read_ahead(int fd, const Ext4Head& head) {
    constexpr std::uint8_t kMostFlex = 10;
    if (head.magic != kExt4Magic || head.group_blocks == 0 || head.log_flex_bg > kMostFlex) {
        return;
    }
    // mke2fs(8), flex_bg: the block bitmaps of so many groups, their inode bitmaps, their inode
    // tables, and then the data.
    const std::uint64_t groups =
        (std::uint64_t{head.blocks} + head.group_blocks - 1) / head.group_blocks;
    const std::uint64_t together = std::min(groups, std::uint64_t{1} << head.log_flex_bg);
    const std::uint64_t table = std::uint64_t{head.group_inodes} * head.inode_size / kExt4Block;
    constexpr std::uint64_t kFirstInodes = 4; // blocks: 64 inodes
    constexpr std::uint64_t kFirstDirectories = 32;
    if (head.inode_table > head.block_bitmap &&
        head.inode_table - head.block_bitmap <= 2U << kMostFlex) {
        want(fd, head.block_bitmap, head.inode_table - head.block_bitmap + kFirstInodes);
    }
    want(fd, head.inode_table + together * table, kFirstDirectories);
}

} // namespace lodge::storage
