#include "storage/key_file.hpp"

#include "lib/kernel/fs.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::storage {

namespace {

Status check_safe(int fd, const KeyFile& key) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) {
        return fail_errno("fstat", key.path);
    }
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
        return fail(ErrorCode::permission_denied,
                    key.what + " '" + key.path +
                        "' must be a regular file of root that nobody else may read; "
                        "set its mode to 0600");
    }
    if (info.st_size != static_cast<off_t>(secret::kSealKeySize)) {
        return fail(ErrorCode::corrupt, key.what + " '" + key.path + "' does not have 32 bytes");
    }
    return {};
}

} // namespace

Result<secret::SecretBuffer> read_key_file(const KeyFile& file) {
    auto opened = kernel::open_file(file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!opened && opened.error().sys_errno() == ENOENT) {
        return fail(ErrorCode::not_found,
                    file.what + " '" + file.path +
                        "' is not there; put the copy of it back. Lodge makes no other in its "
                        "place");
    }
    if (!opened && opened.error().sys_errno() == ELOOP) {
        return fail(ErrorCode::permission_denied,
                    file.what + " '" + file.path +
                        "' is a symbolic link; put the file itself there");
    }
    if (!opened) {
        return std::unexpected<Error>(std::move(opened).error().context("read " + file.what));
    }
    RETURN_IF_ERROR(check_safe(opened->get(), file));
    ASSIGN_OR_RETURN(secret::SecretBuffer key,
                     secret::SecretBuffer::allocate(secret::kSealKeySize));
    // Directly into guarded memory: there is no copy to wipe.
    if (::read(opened->get(), key.bytes().data(), key.size()) != static_cast<ssize_t>(key.size())) {
        return fail_errno("read " + file.what, file.path);
    }
    return key;
}

// The file gets its name when it is whole. So no crash leaves a short key, and of two makers the
// second finds the first one's.
Status make_key_file(const KeyFile& file) {
    const std::size_t slash = file.path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : file.path.substr(0, slash);
    ASSIGN_OR_RETURN(const UniqueFd parent, kernel::open_file(directory, O_RDONLY | O_DIRECTORY));
    ASSIGN_OR_RETURN(const UniqueFd made, kernel::open_file(directory, O_WRONLY | O_TMPFILE, 0600));
    ASSIGN_OR_RETURN(const secret::SecretBuffer key,
                     secret::SecretBuffer::random(secret::kSealKeySize));
    if (::write(made.get(), key.bytes().data(), key.size()) != static_cast<ssize_t>(key.size()) ||
        ::fsync(made.get()) != 0) {
        return fail_errno("write " + file.what, file.path);
    }
    const std::string self = "/proc/self/fd/" + std::to_string(made.get());
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, file.path.c_str(), AT_SYMLINK_FOLLOW) != 0 &&
        errno != EEXIST) {
        return fail_errno("link", file.path);
    }
    if (::fsync(parent.get()) != 0) {
        return fail_errno("fsync", directory);
    }
    return {};
}

} // namespace lodge::storage
