#include "lib/kernel/mount.hpp"
#include "lib/kernel/process.hpp"
#include "tests/fuzz/fuzz.hpp"

// Files of /proc whose fields an attacker can shape: mount points and process names.
FUZZ_TARGET(mountinfo)(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = lodge::test::as_text(data, size);
    if (const auto mounts = lodge::kernel::parse_mountinfo(text)) {
        for (const lodge::kernel::MountInfo& mount : *mounts) {
            lodge::test::must(mount.mount_point.size() <= size);
        }
    }
    (void)lodge::kernel::parse_start_time(text);
    return 0;
}
