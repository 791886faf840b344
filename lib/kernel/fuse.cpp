#include "lib/kernel/fuse.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::kernel {

Result<unsigned> abort_fuse_connections(std::uint32_t first, std::uint32_t count) {
    // A mount of our own, because the host may have fusectl not mounted.
    const auto control = new_mount({.type = "fusectl"});
    if (!control) {
        return control.error().sys_errno() == ENODEV ? Result<unsigned>(0U)
                                                     : std::unexpected<Error>(control.error());
    }
    ASSIGN_OR_RETURN(const auto root, open_directory_at(control->get(), "."));
    unsigned aborted = 0;
    RETURN_IF_ERROR(
        for_each_entry(root.get(), [&](const std::string& name, unsigned char) -> Status {
            struct stat info{};
            if (::fstatat(root.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
                return errno == ENOENT ? Status{} : fail_errno("stat", name); // ended meanwhile
            }
            if (info.st_uid < first || info.st_uid - first >= count) {
                return {};
            }
            Status written = write_control(root.get(), name + "/abort", "1");
            if (!written && written.error().sys_errno() == ENOENT) {
                return {};
            }
            aborted += written ? 1U : 0U;
            return written;
        }));
    return aborted;
}

} // namespace lodge::kernel
