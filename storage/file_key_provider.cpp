#include "lib/kernel/fs.hpp"
#include "storage/key_provider.hpp"

#include <cerrno>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::storage {

namespace {

Status check_safe(int fd, const std::string& path) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) {
        return fail_errno("fstat", path);
    }
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
        return fail(ErrorCode::permission_denied,
                    "the master key '" + path +
                        "' must be a regular file of root that nobody else may read; "
                        "set its mode to 0600");
    }
    if (info.st_size != static_cast<off_t>(secret::kSealKeySize)) {
        return fail(ErrorCode::corrupt, "the master key '" + path + "' does not have 32 bytes");
    }
    return {};
}

Result<secret::SecretBuffer> read_key(const std::string& path) {
    auto opened = kernel::open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!opened && opened.error().sys_errno() == ELOOP) {
        return fail(ErrorCode::permission_denied,
                    "the master key '" + path + "' is a symbolic link; put the file itself there");
    }
    if (!opened) {
        return std::unexpected<Error>(std::move(opened).error());
    }
    const UniqueFd& file = *opened;
    RETURN_IF_ERROR(check_safe(file.get(), path));
    ASSIGN_OR_RETURN(secret::SecretBuffer key,
                     secret::SecretBuffer::allocate(secret::kSealKeySize));
    // Straight into guarded memory: no copy to wipe.
    if (::read(file.get(), key.bytes().data(), key.size()) != static_cast<ssize_t>(key.size())) {
        return fail_errno("read", path);
    }
    return key;
}

// Made under another name and linked into place, so that no crash leaves a short key and two
// daemons never use two keys.
Status make_key(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
    ASSIGN_OR_RETURN(const UniqueFd parent, kernel::open_file(directory, O_RDONLY | O_DIRECTORY));
    ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_file(directory, O_WRONLY | O_TMPFILE, 0600));
    ASSIGN_OR_RETURN(const secret::SecretBuffer key,
                     secret::SecretBuffer::random(secret::kSealKeySize));
    if (::write(file.get(), key.bytes().data(), key.size()) != static_cast<ssize_t>(key.size()) ||
        ::fsync(file.get()) != 0) {
        return fail_errno("write the master key", path);
    }
    const std::string self = "/proc/self/fd/" + std::to_string(file.get());
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 &&
        errno != EEXIST) {
        return fail_errno("link", path);
    }
    if (::fsync(parent.get()) != 0) {
        return fail_errno("fsync", directory);
    }
    return {};
}

class FileKeyProvider final : public KeyProvider {
  public:
    explicit FileKeyProvider(std::string path) : path_(std::move(path)) {}

    std::string name() const override { return "file"; }

    Result<secret::SecretBuffer> master_key() override {
        {
            const std::lock_guard guard(making_);
            if (::access(path_.c_str(), F_OK) != 0 && errno == ENOENT) {
                RETURN_IF_ERROR(with_context(make_key(path_), "make the master key"));
            }
        }
        return with_context(read_key(path_), "read the master key");
    }

  private:
    std::string path_;
    std::mutex making_; ///< of the file, the first time
};

} // namespace

std::unique_ptr<KeyProvider> make_file_key_provider(std::string path) {
    return std::make_unique<FileKeyProvider>(std::move(path));
}

} // namespace lodge::storage
