#pragma once

#include <cstdint>
#include <string>

namespace lodge::templates {

struct ExtractLimits {
    std::uint64_t most_bytes = 0;           ///< sum of the sizes of all files, holes included
    std::uint64_t most_entries = 4'000'000; ///< directories that only paths name among them
};

struct Outcome {
    int exit_code = 0; ///< of lodge-unpack
    std::string sentence{};
    std::int64_t newest = 0; ///< mtime of the newest entry, Unix seconds, rounded up
    std::string left_out{};  ///< a sentence; empty: nothing was left out
};

/// Unpacks the tar archive (plain, gzip, xz, zstd) read from `archive_fd` into the current
/// directory. Refused: absolute and `..` paths and hard links, ids outside 0..65535, more than the
/// limits, what is no archive or is cut. Left out and counted: device nodes, fifos, sockets, hard
/// links to such, names that no image can hold (is_holdable), ACLs, extended attributes but `user.`
/// and `security.capability`. The caller has confined the process.
[[nodiscard]] Outcome extract(int archive_fd, const ExtractLimits& limits);

} // namespace lodge::templates
