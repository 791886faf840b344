#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

namespace lodge::storage {

/// Some fields of an ext4 superblock and of the descriptor of its first group
/// (Documentation/filesystems/ext4: super.rst, group_descr.rst), for the block size of our
/// filesystems. Meaningless unless `magic` is kExt4Magic.
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

/// Makes the kernel read, all at once and in the background, the blocks that a mount and the first
/// look into a new or nearly new filesystem read one by one: the bitmaps and inode tables of the
/// first groups, and the blocks after them, with the first directories. A hint: if a damaged or
/// older filesystem keeps them elsewhere, they are read on demand.
void read_ahead(int fd, const Ext4Head& head);

} // namespace lodge::storage
