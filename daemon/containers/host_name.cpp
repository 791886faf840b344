#include "daemon/containers/host_name.hpp"

#include "daemon/containers/hosts_file.hpp"
#include "lib/kernel/fs.hpp"

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr const char* kRemembered = "hostname";
constexpr const char* kHosts = "hosts";

// The form of man 5 hostname.
std::string file_text(const std::string& hostname) {
    return hostname + "\n";
}

// Replaces the file, with exactly this mode whatever the daemon's umask: everybody inside must be
// able to read it. A directory stays.
Status put_file(int etc, const std::string& name, std::string_view text, mode_t mode) {
    const std::string temporary = "." + name + ".new";
    if (::unlinkat(etc, temporary.c_str(), 0) != 0 && errno != ENOENT) {
        return fail_errno("unlink", temporary);
    }
    ASSIGN_OR_RETURN(
        const UniqueFd file,
        kernel::open_at(etc, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    RETURN_IF_ERROR(kernel::write_all(file.get(), text));
    if (::fchmod(file.get(), mode) != 0) {
        return fail_errno("chmod", temporary);
    }
    if (::renameat(etc, temporary.c_str(), etc, name.c_str()) != 0) {
        const int why = errno;
        (void)::unlinkat(etc, temporary.c_str(), 0); // the first error is the one to tell
        return why == EISDIR ? Status{} : fail_errno("rename", name, why);
    }
    return {};
}

// Empty when the volume has no such file: an earlier release made it.
std::string remembered(int volume_fd) {
    const auto file = kernel::open_at(volume_fd, kRemembered, O_RDONLY | O_NOFOLLOW);
    const auto text = file ? kernel::read_all(file->get(), 256) : std::unexpected(file.error());
    return text ? text->substr(0, text->find('\n')) : std::string();
}

// Leaves anything but a plain file of a sensible size unchanged.
Status rename_in_hosts(int etc,
                       const std::string& before,
                       const std::string& hostname,
                       const std::vector<std::string>& addresses) {
    constexpr std::size_t kLongest = std::size_t{4} << 20;
    const auto file = kernel::open_at(etc, kHosts, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat info{};
    if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode) ||
        ::fgetxattr(file->get(), "trusted.overlay.metacopy", nullptr, 0) >= 0) {
        return {};
    }
    const auto text = kernel::read_all(file->get(), kLongest);
    if (!text) {
        return text.error().code() == ErrorCode::resource_exhausted
                   ? Status{}
                   : std::unexpected<Error>(text.error());
    }
    return put_file(
        etc, kHosts, renamed_hosts(*text, before, hostname, addresses), info.st_mode & 0777);
}

} // namespace

Status remember_host_name(int volume_fd, const std::string& hostname) {
    // Not synced: after a power cut the name is just written once more.
    ASSIGN_OR_RETURN(
        const UniqueFd file,
        kernel::open_at(volume_fd, kRemembered, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    return kernel::write_all(file.get(), file_text(hostname));
}

Status renew_host_name(int volume_fd,
                       const std::string& tree,
                       const std::string& hostname,
                       const std::vector<std::string>& addresses) {
    const std::string before = remembered(volume_fd);
    if (before == hostname) {
        return {};
    }
    ASSIGN_OR_RETURN(const auto etc,
                     kernel::open_hostile_if_there(volume_fd,
                                                   tree + "/etc",
                                                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                                   kernel::Resolve::beneath_no_symlinks));
    if (etc) {
        RETURN_IF_ERROR(put_file(etc->get(), kRemembered, file_text(hostname), 0644));
        RETURN_IF_ERROR(rename_in_hosts(etc->get(), before, hostname, addresses));
    }
    return remember_host_name(volume_fd, hostname);
}

} // namespace lodge::daemon
