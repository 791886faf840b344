#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

namespace lodge::storage {

/// Some fields of a superblock of ext4 and of the descriptor of its first group
/// (Documentation/filesystems/ext4: super.rst, group_descr.rst), for the block size that ours have.
/// Meaningless where `magic` is not kExt4Magic.
struct Ext4Head {
    std::uint16_t magic = 0;
    std::uint16_t state = 0;        ///< 1 unmounted cleanly, 2 errors were found
    std::uint32_t incompat = 0;     ///< 4 the journal has to be replayed
    std::uint32_t blocks = 0;       ///< the lower half
    std::uint32_t group_blocks = 0; ///< blocks of a group
    std::uint32_t group_inodes = 0; ///< inodes of a group
    std::uint16_t inode_size = 0;   ///< bytes
    std::uint8_t log_flex_bg = 0;   ///< 2 to this power groups keep their tables together
    std::uint32_t block_bitmap = 0; ///< block of the first group's
    std::uint32_t inode_table = 0;  ///< block of the first group's
};
constexpr std::uint16_t kExt4Magic = 0xef53;
constexpr std::uint32_t kExt4Block = 4096;

/// Reads it from the device or image `fd`.
[[nodiscard]] Result<Ext4Head> read_ext4_head(int fd);

/// Has the kernel read, all at once and in the background, what a mount and the first look into a
/// new or nearly new filesystem read one block after the other: the bitmaps and inode tables of the
/// first groups, and the blocks behind them, where the first directories are. A hint: what a
/// damaged or an older filesystem keeps elsewhere is read when it is wanted.
void read_ahead(int fd, const Ext4Head& head);

} // namespace lodge::storage
