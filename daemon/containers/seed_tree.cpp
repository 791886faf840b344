#include "daemon/containers/seed_tree.hpp"

#include "daemon/containers/hosts_file.hpp"
#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

using kernel::Resolve;

constexpr std::size_t kLongestAccountFile = std::size_t{1} << 20;

struct NewFile {
    std::string path; ///< absolute, no symlinks wanted
    std::string content;
    mode_t mode = 0644;
    gid_t group = 0;
};

Status take_over_owner_and_mode(int fd, const struct stat& like, const std::string& path) {
    if (::fchown(fd, like.st_uid, like.st_gid) != 0 || ::fchmod(fd, like.st_mode & 07777) != 0) {
        return fail_errno("take over owner and mode of", path);
    }
    return {};
}

// An overlay shows its upper layer's root: what the template says of "/" must be true there too.
Status seed_root(int template_fd, int target_fd) {
    struct stat like{};
    if (::fstat(template_fd, &like) != 0) {
        return fail_errno("fstat", "/");
    }
    return take_over_owner_and_mode(target_fd, like, "/");
}

// Makes `name` below `parent_fd` with the mode and owner that the template's directory of that path
// has.
Result<UniqueFd> open_copied_directory(
    int template_fd, int parent_fd, const std::string& path, const std::string& name, mode_t mode) {
    struct stat like{};
    like.st_mode = mode;
    const auto original = kernel::open_hostile(
        template_fd, path, O_PATH | O_NOFOLLOW, 0, Resolve::beneath_no_symlinks);
    if (original) {
        if (::fstat(original->get(), &like) != 0) {
            return fail_errno("fstat", path);
        }
        if (!S_ISDIR(like.st_mode)) {
            return fail(ErrorCode::invalid_argument,
                        "the template's /" + path + " is not a directory");
        }
    } else if (original.error().sys_errno() != ENOENT) {
        return std::unexpected<Error>(original.error());
    }
    const bool made = ::mkdirat(parent_fd, name.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) {
        return fail_errno("mkdir", path);
    }
    ASSIGN_OR_RETURN(UniqueFd directory, kernel::open_directory_at(parent_fd, name));
    if (made) {
        RETURN_IF_ERROR(take_over_owner_and_mode(directory.get(), like, path));
    }
    return directory;
}

Status put_file(int template_fd, int target_fd, const NewFile& file, mode_t directory_mode = 0755) {
    UniqueFd directory;
    int parent = target_fd;
    std::size_t start = 1;
    for (std::size_t slash = file.path.find('/', start); slash != std::string::npos;
         slash = file.path.find('/', start)) {
        const std::string name = file.path.substr(start, slash - start);
        ASSIGN_OR_RETURN(
            UniqueFd next,
            open_copied_directory(
                template_fd, parent, file.path.substr(1, slash - 1), name, directory_mode));
        directory = std::move(next);
        parent = directory.get();
        start = slash + 1;
    }
    const std::string name = file.path.substr(start);
    if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) {
        return fail_errno("unlink", file.path);
    }
    ASSIGN_OR_RETURN(const UniqueFd fd,
                     kernel::open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    RETURN_IF_ERROR(kernel::write_all(fd.get(), file.content));
    if (::fchown(fd.get(), 0, file.group) != 0 || ::fchmod(fd.get(), file.mode) != 0) {
        return fail_errno("set owner and mode of", file.path);
    }
    return {};
}

Result<std::string>
read_template_file(int template_fd, const std::string& path, struct stat* info = nullptr) {
    // Non-blocking: a fifo in its place must not hold us up.
    ASSIGN_OR_RETURN(
        const UniqueFd file,
        kernel::open_hostile(template_fd, path, O_RDONLY | O_NONBLOCK, 0, Resolve::in_root));
    if (info != nullptr && ::fstat(file.get(), info) != 0) {
        return fail_errno("fstat", path);
    }
    return kernel::read_all(file.get(), kLongestAccountFile);
}

std::string resolver_text(const Seed& seed) {
    std::string text;
    for (const std::string& server : seed.nameservers) {
        text += "nameserver " + server + "\n";
    }
    return text;
}

Status put_ssh_keys(int template_fd, int target_fd, const Seed& seed) {
    if (seed.ssh_keys.empty()) {
        return {};
    }
    const auto passwd = read_template_file(template_fd, "etc/passwd");
    const std::string home = passwd ? home_of(*passwd, "root") : "/root";
    std::string lines;
    for (const std::string& key : seed.ssh_keys) {
        lines += key + "\n";
    }
    return put_file(template_fd,
                    target_fd,
                    {.path = home + "/.ssh/authorized_keys", .content = lines, .mode = 0600},
                    0700);
}

Status put_password(int template_fd, int target_fd, const Seed& seed) {
    if (seed.password_hash.empty()) {
        return {};
    }
    struct stat info{};
    auto shadow = read_template_file(template_fd, "etc/shadow", &info);
    if (!shadow && shadow.error().sys_errno() == ENOENT) {
        return fail(ErrorCode::invalid_argument,
                    "root cannot be given a password: the template has no /etc/shadow");
    }
    if (!shadow) {
        return std::unexpected<Error>(std::move(shadow).error());
    }
    ASSIGN_OR_RETURN(const std::string changed, with_password(*shadow, "root", seed.password_hash));
    RETURN_IF_ERROR(put_file(template_fd,
                             target_fd,
                             {.path = "/etc/shadow",
                              .content = changed,
                              .mode = info.st_mode & 0777,
                              .group = info.st_gid}));
    // Whoever gives root a password means to log in with it; Debian's sshd takes keys only for
    // root.
    return put_file(template_fd,
                    target_fd,
                    {.path = "/etc/ssh/sshd_config.d/10-lodge-root-password.conf",
                     .content = "PermitRootLogin yes\n"});
}

} // namespace

Result<std::string>
with_password(const std::string& shadow, const std::string& user, const std::string& hash) {
    std::istringstream lines(shadow);
    std::string text;
    bool found = false;
    for (std::string line; std::getline(lines, line);) {
        if (!found && line.rfind(user + ":", 0) == 0) {
            const std::size_t end = line.find(':', user.size() + 1);
            line = user + ":" + hash + (end == std::string::npos ? ":::::::" : line.substr(end));
            found = true;
        }
        text += line + "\n";
    }
    if (!found) {
        return fail(ErrorCode::invalid_argument,
                    "the template's /etc/shadow has no line for " + user);
    }
    return text;
}

std::string home_of(const std::string& passwd, const std::string& user) {
    std::istringstream lines(passwd);
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind(user + ":", 0) != 0) {
            continue;
        }
        std::istringstream fields(line);
        std::string field;
        for (int i = 0; i < 6; ++i) {
            std::getline(fields, field, ':');
        }
        const bool usable = field.size() > 1 && field.front() == '/' &&
                            (field + "/").find("/../") == std::string::npos &&
                            field.find("//") == std::string::npos && field.back() != '/';
        return usable ? field : "/root";
    }
    return "/root";
}

Status seed_tree(int template_fd, int target_fd, const Seed& seed) {
    RETURN_IF_ERROR(seed_root(template_fd, target_fd));
    RETURN_IF_ERROR(put_file(
        template_fd, target_fd, {.path = "/etc/hostname", .content = seed.hostname + "\n"}));
    RETURN_IF_ERROR(
        put_file(template_fd,
                 target_fd,
                 {.path = "/etc/hosts", .content = hosts_text(seed.hostname, seed.addresses)}));
    RETURN_IF_ERROR(put_file(
        template_fd, target_fd, {.path = "/etc/resolv.conf", .content = resolver_text(seed)}));
    RETURN_IF_ERROR(put_ssh_keys(template_fd, target_fd, seed));
    return put_password(template_fd, target_fd, seed);
}

} // namespace lodge::daemon
