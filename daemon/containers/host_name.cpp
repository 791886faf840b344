#include "daemon/containers/host_name.hpp"

#include "lib/kernel/fs.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr const char* kRemembered = "hostname";

// As man 5 hostname has it.
std::string file_text(const std::string& hostname) {
    return hostname + "\n";
}

Status write_into(int etc, const std::string& hostname) {
    if (::unlinkat(etc, kRemembered, 0) != 0 && errno != ENOENT) {
        return errno == EISDIR ? Status{} : fail_errno("unlink", "/etc/hostname");
    }
    ASSIGN_OR_RETURN(
        const UniqueFd file,
        kernel::open_at(etc, kRemembered, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    return kernel::write_all(file.get(), file_text(hostname));
}

} // namespace

Status remember_host_name(int volume_fd, const std::string& hostname) {
    // Not synced: one that a power cut takes only has the name written once more.
    ASSIGN_OR_RETURN(
        const UniqueFd file,
        kernel::open_at(volume_fd, kRemembered, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    return kernel::write_all(file.get(), file_text(hostname));
}

Status renew_host_name(int volume_fd, const std::string& tree, const std::string& hostname) {
    const auto remembered = kernel::open_at(volume_fd, kRemembered, O_RDONLY | O_NOFOLLOW);
    if (remembered) {
        const auto text = kernel::read_all(remembered->get(), 256);
        if (text && *text == file_text(hostname)) {
            return {};
        }
    }
    const auto etc = kernel::open_hostile(volume_fd,
                                          tree + "/etc",
                                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                          0,
                                          kernel::Resolve::beneath_no_symlinks);
    if (etc) {
        RETURN_IF_ERROR(write_into(etc->get(), hostname));
    }
    return remember_host_name(volume_fd, hostname);
}

} // namespace lodge::daemon
