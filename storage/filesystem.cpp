#include "storage/filesystem.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"

#include <chrono>

#include <sys/mount.h>
#include <unistd.h>

namespace lodge::storage {

Status make_ext4(const std::string& target, const Uuid& uuid, bool encrypt) {
    kernel::Program mke2fs{
        .path = "mke2fs",
        .arguments = {"-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0"},
        .environment = {},
        .input = {},
        .deadline = Deadline::after(std::chrono::seconds(60))};
    // Lazy: what is not written now is a hole in a sparse image; the mount keeps it lazy. Nothing
    // to discard in a new image.
    for (const char* argument :
         {"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", "-U"}) {
        mke2fs.arguments.emplace_back(argument);
    }
    mke2fs.arguments.push_back(uuid.to_string());
    if (encrypt) {
        mke2fs.arguments.insert(mke2fs.arguments.end(), {"-O", "encrypt"});
    }
    mke2fs.arguments.push_back(target);
    ASSIGN_OR_RETURN(const auto output,
                     with_context(kernel::run_program(mke2fs), "make the filesystem"));
    (void)output; // quiet on success
    return {};
}

Result<OpenVolume> mount_ext4(const std::string& device) {
    // noinit_itable: no kernel thread per container that zeroes inode tables and fills the sparse
    // image. discard: what a tenant deletes becomes a hole again.
    auto mount = kernel::new_mount(
        {.type = "ext4",
         .source = device,
         .options = {{"noinit_itable", ""}, {"discard", ""}, {"errors", "remount-ro"}},
         .read_only = false,
         .attributes = MOUNT_ATTR_NODEV});
    if (!mount) {
        // The kernel found no superblock or a damaged one.
        Error error = std::move(mount).error();
        const bool damaged = error.sys_errno() == EINVAL || error.sys_errno() == EUCLEAN ||
                             error.sys_errno() == EBADMSG;
        const ErrorCode code = damaged ? ErrorCode::corrupt : error.code();
        return std::unexpected<Error>(
            std::move(error).with_code(code).context("mount the volume's filesystem"));
    }
    return OpenVolume{std::move(*mount)};
}

Status make_layout(const OpenVolume& volume) {
    RETURN_IF_ERROR(kernel::make_directory_at(volume.filesystem.get(), kDataDirectory, 0755));
    const std::string data = std::string(kDataDirectory) + "/";
    RETURN_IF_ERROR(
        kernel::make_directory_at(volume.filesystem.get(), data + kUpperDirectory, 0755));
    return kernel::make_directory_at(volume.filesystem.get(), data + kWorkDirectory, 0755);
}

std::string missing_mke2fs() {
    for (const char* path : {"/usr/sbin/mke2fs", "/sbin/mke2fs", "/usr/bin/mke2fs"}) {
        if (::access(path, X_OK) == 0) {
            return {};
        }
    }
    return "mke2fs is not installed (package e2fsprogs)";
}

} // namespace lodge::storage
