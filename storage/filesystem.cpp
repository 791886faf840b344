#include "storage/filesystem.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "storage/ext4_head.hpp"

#include <chrono>

#include <fcntl.h>
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
    // Lazy: unwritten blocks are holes in a sparse image, and the mount keeps them so. A new image
    // has nothing to discard.
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

namespace {

Result<Ext4Head> head_of(const UniqueFd& device, const std::string& path) {
    return with_context(read_ext4_head(device.get()), "open the filesystem on '" + path + "'");
}

bool was_left_dirty(const Ext4Head& head) {
    return head.magic == kExt4Magic && // of anything else mount(2) says what it is
           ((head.state & 1U) == 0 || (head.state & 2U) != 0 || (head.incompat & 4U) != 0);
}

} // namespace

Status check_ext4(const std::string& device) {
    {
        ASSIGN_OR_RETURN(const UniqueFd fd, kernel::open_file(device, O_RDONLY));
        ASSIGN_OR_RETURN(const Ext4Head head, head_of(fd, device));
        if (!was_left_dirty(head)) {
            read_ahead(fd.get(), head);
            return {};
        }
    }
    ASSIGN_OR_RETURN(
        const auto done,
        with_context(kernel::run_program({.path = "e2fsck",
                                          .arguments = {"-p", device},
                                          .deadline = Deadline::after(std::chrono::minutes(10)),
                                          .judged = true}),
                     "check the volume's filesystem"));
    constexpr int kCorrected = 1 | 2; // see man 8 e2fsck, EXIT CODE
    if ((done.exit_code & ~kCorrected) == 0) {
        return {};
    }
    return fail(ErrorCode::corrupt,
                "the volume's filesystem is damaged, and e2fsck -p (exit code " +
                    std::to_string(done.exit_code) + ") does not dare to mend it: " +
                    done.standard_output.substr(0, 500) + done.standard_error.substr(0, 500));
}

Result<OpenVolume> mount_ext4(const std::string& device) {
    // noinit_itable: no kernel thread per container that zeroes inode tables and fills the sparse
    // image. discard: files that a tenant deletes become holes again.
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
