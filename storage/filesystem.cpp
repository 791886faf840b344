#include "storage/filesystem.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>

#include <endian.h>
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

namespace {

// ext4's superblock begins at byte 1024 and is little-endian
// (Documentation/filesystems/ext4/super.rst).
struct SuperblockFields {
    std::uint16_t magic = 0;    ///< at 0x38
    std::uint16_t state = 0;    ///< at 0x3a: 1 unmounted cleanly, 2 errors were found
    std::uint32_t incompat = 0; ///< at 0x60: 4 the journal has to be replayed
};

Result<SuperblockFields> read_superblock(const std::string& device) {
    ASSIGN_OR_RETURN(const UniqueFd fd, kernel::open_file(device, O_RDONLY));
    std::array<char, 128> bytes{};
    if (::pread(fd.get(), bytes.data(), bytes.size(), 1024) != static_cast<ssize_t>(bytes.size())) {
        return fail_errno("read", device);
    }
    SuperblockFields fields;
    std::memcpy(&fields.magic, &bytes[0x38], sizeof fields.magic);
    std::memcpy(&fields.state, &bytes[0x3a], sizeof fields.state);
    std::memcpy(&fields.incompat, &bytes[0x60], sizeof fields.incompat);
    return SuperblockFields{.magic = le16toh(fields.magic),
                            .state = le16toh(fields.state),
                            .incompat = le32toh(fields.incompat)};
}

bool was_left_dirty(const SuperblockFields& fields) {
    constexpr std::uint16_t kMagic = 0xef53; // of anything else mount(2) says what it is
    return fields.magic == kMagic &&
           ((fields.state & 1U) == 0 || (fields.state & 2U) != 0 || (fields.incompat & 4U) != 0);
}

} // namespace

Status check_ext4(const std::string& device) {
    ASSIGN_OR_RETURN(const SuperblockFields fields, read_superblock(device));
    if (!was_left_dirty(fields)) {
        return {};
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
